import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { sampleRecord } from "../../report/sample.ts";
import { refused } from "../../support/refusal.ts";
import { distinctTails, readRecord, readRecords } from "../../../lib/jobs/many/records.ts";

describe("jobs/many/records: names of runs", () => {
  it("are the shortest ends of their folders that differ", () => {
    expect(distinctTails(["/r/six/etl", "/r/six/mobilenet", "/other/dmm"])).to.deep.equal([
      "etl",
      "mobilenet",
      "dmm",
    ]);
    expect(
      distinctTails(["s/gender/seed-0/gamma-0.1", "s/age/seed-0/gamma-0.1", "s/age/seed-1"]),
    ).to.deep.equal(["gender/seed-0/gamma-0.1", "age/seed-0/gamma-0.1", "seed-1"]);
    expect(distinctTails(["runs/gender/"])).to.deep.equal(["gender"]);
  });

  it("are left to the page where there is one run, and stay where a run has its own", async () => {
    const folder = await mkdtemp(join(tmpdir(), "etl-records-"));
    try {
      const runs = ["one", "two"].map((name) => join(folder, name));
      for (const [i, run] of runs.entries()) {
        await mkdir(run);
        const record = { ...sampleRecord(), ...(i === 1 ? { title: "Mine" } : {}) };
        await writeFile(join(run, "record.json"), JSON.stringify(record));
      }
      const titles = async (of: string[]): Promise<unknown> =>
        (await readRecords(of)).map(({ title }) => title);
      expect(await titles([runs[0]])).to.deep.equal([undefined]);
      expect(await titles(runs)).to.deep.equal(["one", "Mine"]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("are the paths themselves where one run is given twice", () => {
    expect(distinctTails(["a/b", "./a/b"])).to.deep.equal(["a/b", "./a/b"]);
  });

  it("are of finished runs: what the runs of a sweep share is none, and no resume makes it one", async () => {
    const folder = await mkdtemp(join(tmpdir(), "etl-records-"));
    try {
      const run = {
        schema: 1,
        etlVersion: "0.1.0",
        createdAt: "",
        config: {},
        status: "running",
        stages: {},
      };
      const told = async (state: object): Promise<string> => {
        await writeFile(join(folder, "run.json"), JSON.stringify(state));
        const error = await refused(readRecord(folder), "usage");
        return `${error.message} ${error.hint ?? ""}`;
      };
      expect(await told({ ...run, until: "baseline" }))
        .to.match(/no further than "baseline", a finished run was needed leave it out/)
        .and.not.contain("etl resume");
      expect(await told(run)).to.match(/no record\.json, a finished run was needed try: etl resume/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
