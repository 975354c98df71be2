import { createServer, type Server } from "node:http";

/** A web server on a free port of this machine, for files by name. The caller closes it. */
export function serve(files: ReadonlyMap<string, string | Uint8Array>): Promise<Server> {
  const types: Readonly<Record<string, string>> = {
    html: "text/html",
    js: "text/javascript",
    json: "application/json",
  };
  const server = createServer((request, response) => {
    const name = (request.url ?? "/").slice(1);
    const content = files.get(name);
    const type = types[name.split(".").at(-1) ?? ""] ?? "application/octet-stream";
    response.writeHead(content === undefined ? 404 : 200, { "content-type": type });
    response.end(content);
  });
  return new Promise((ready) => {
    server.listen(0, "127.0.0.1", () => {
      ready(server);
    });
  });
}
