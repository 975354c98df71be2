/** A command's code is loaded when that command is called. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("../..", import.meta.url));

describe("etl --help", () => {
  it("loads at most 60 modules of this project, and none of a job's stages", () => {
    const folder = mkdtempSync(join(tmpdir(), "etl-loaded-"));
    try {
      const run = spawnSync(process.execPath, ["--import", "tsx", "bin/etl.ts", "--help"], {
        cwd: root,
        encoding: "utf8",
        env: { ...process.env, NODE_V8_COVERAGE: folder },
      });
      expect(run.stdout).to.contain("etl prune");
      const urls = readdirSync(folder).flatMap((file) => {
        const { result } = JSON.parse(readFileSync(join(folder, file), "utf8")) as {
          result: { url: string }[];
        };
        return result.map(({ url }) => url.replace(/\?.*$/, ""));
      });
      const own = [...new Set(urls)].filter(
        (url) => /\/(bin|lib)\/[^?]*\.ts$/.test(url) && !url.includes("/node_modules/"),
      );
      expect(own.length).to.be.within(20, 60);
      const stages = own.filter((url) => /\/jobs\/\w+\/(?!option|options|int8)/.test(url));
      expect(stages).to.deep.equal([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
