/** A folder on a port of this machine, for looking at a page. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { extname } from "node:path";
import type { AddressInfo } from "node:net";
import { EtlError, messageOf } from "../../core/errors.ts";
import { insideOf, readBytes } from "../../core/files.ts";
import { contentPolicy } from "../../web/document.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
};

/** A folder that is served. */
export interface Served {
  /** http://127.0.0.1:PORT/ */
  readonly address: string;
  readonly close: () => Promise<void>;
}

/**
 * Serves the files of a folder on 127.0.0.1, to this machine alone.
 *
 * @param port 0: any free one
 * @throws EtlError `io` where the port is taken or not allowed
 */
export async function serveFolder(folder: string, port: number): Promise<Served> {
  const server = createServer((request, response) => {
    reply(folder, request, response).catch((error: unknown) => {
      response.writeHead(500, { "content-type": "text/plain" }).end(messageOf(error));
    });
  });
  await new Promise<void>((done, failed) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === "EADDRINUSE"
          ? "in use"
          : error.code === "EACCES"
            ? "not allowed"
            : messageOf(error).toLowerCase();
      failed(
        new EtlError("io", `--port: ${port} is ${reason}, a free one was needed`, {
          hint: "without --port any free one is taken",
          cause: error,
        }),
      );
    });
    server.listen(port, "127.0.0.1", done);
  });
  const { port: own } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${own}/`,
    close: () =>
      new Promise((done) => {
        server.close(() => {
          done();
        });
        server.closeAllConnections();
      }),
  };
}

async function reply(folder: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const refuse = (status: number, text: string): void => {
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
  };
  if (request.method !== "GET" && request.method !== "HEAD") {
    refuse(405, "only GET and HEAD");
    return;
  }
  const path = pathOf(request.url ?? "/");
  const bytes = path === undefined ? undefined : await fileAt(folder, path);
  if (path === undefined || bytes === undefined) {
    refuse(404, "nothing is here");
    return;
  }
  response.writeHead(200, {
    "content-type": types[extname(path)] ?? "application/octet-stream",
    "content-length": bytes.length,
    "cache-control": "no-cache",
    "content-security-policy": contentPolicy,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

/** The file that an address names; undefined where it is no address. */
function pathOf(url: string): string | undefined {
  try {
    const path = decodeURIComponent(new URL(url, "http://127.0.0.1").pathname).slice(1);
    return path === "" ? "index.html" : path;
  } catch {
    return undefined;
  }
}

/** Undefined where there is no such file, or it lies elsewhere. */
async function fileAt(folder: string, path: string): Promise<Uint8Array | undefined> {
  try {
    return await readBytes(insideOf(folder, path));
  } catch {
    return undefined;
  }
}
