import { expect } from "chai";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseVariants } from "../../../lib/jobs/many/variants.ts";
import { resolveOptions } from "../../../lib/jobs/prune/config.ts";
import { pruneTable } from "../../../lib/jobs/prune/options.ts";
import { checkOptions, type Option } from "../../../lib/jobs/run/option.ts";
import { resolveTrainOptions } from "../../../lib/jobs/train/config.ts";
import { trainTable } from "../../../lib/jobs/train/options.ts";
import { plainKeys } from "../../../lib/record/sweep.ts";
import { root } from "../../docs/markdown.ts";
import { refused } from "../../support/refusal.ts";

const tables: Readonly<Record<string, Readonly<Record<string, Option>>>> = {
  prune: pruneTable,
  train: trainTable,
};

/** `@defaultValue` of every field of the interfaces in these files. */
function documentedDefaults(files: readonly string[]): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (const file of files) {
    const source = readFileSync(join(root, file), "utf8");
    const fields = source.matchAll(/@defaultValue ([^\n]*?)\s*\*\/\s*readonly (\w+)\?:/g);
    for (const [, value, name] of fields) found.set(name, JSON.parse(value));
  }
  return found;
}

const words = async (work: () => unknown): Promise<string> => (await refused(work, "usage")).message;

describe("jobs/run: an option is declared once", () => {
  for (const [name, table] of Object.entries(tables)) {
    it(`${name}: the library's documented defaults are those of the table`, () => {
      const documented = documentedDefaults(["lib/jobs/run/options.ts", `lib/jobs/${name}/options.ts`]);
      for (const [key, option] of Object.entries(table)) {
        if (option.default === undefined) continue;
        if (key === "batchSize") continue; // Depends on the job: said in words.
        expect(documented.get(key), key).to.deep.equal(option.default);
      }
    });

    it(`${name}: every option says its default in --help, or why it has none`, () => {
      const help = readFileSync(join(root, `fixtures/help/${name}.txt`), "utf8");
      const free = ["data", "task", "out", "backbone", "label", "limit", "weights", "controls"];
      for (const [key, option] of Object.entries(table)) {
        expect(help, option.flag).to.include(`--${option.flag} `);
        const told = option.default !== undefined || option.otherwise !== undefined;
        const instead = option.describe.startsWith("Instead of gamma");
        expect(told || instead || free.includes(key), `${option.flag} has a default`).to.equal(true);
      }
    });

    it(`${name}: the boxes that --help names pass: four numbers, and center`, async () => {
      for (const crop of [[0, 0, 1, 1], "center"] as const)
        expect(() => {
          checkOptions(table, { crop });
        }).to.not.throw();
      expect(
        await words(() => {
          checkOptions(table, { crop: "middle" });
        }),
      ).to.equal('--crop: "middle", four numbers or center was needed');
    });

    it(`${name}: the defaults pass their own checks`, () => {
      const defaults = Object.fromEntries(
        Object.entries(table).map(([key, option]) => [key, option.default]),
      );
      expect(() => {
        checkOptions(table, defaults);
      }).to.not.throw();
    });
  }

  it("refuses what an option does not take, with its name as on the command line", async () => {
    const base = { task: "gender", data: "synthetic:8", out: "x" };
    expect(await words(() => resolveOptions({ ...base, gamma: 1 }))).to.equal(
      "--gamma: 1, a number in [0, 1) was needed",
    );
    expect(await words(() => resolveOptions({ ...base, controls: ["l3" as "l1"] }))).to.equal(
      "--control: l3, one of l1, random, correlation, scratch was needed",
    );
    expect(await words(() => resolveOptions({ ...base, scaling: "Paper" as "paper" }))).to.match(
      /^--scaling: Paper/,
    );
    expect(await words(() => resolveOptions({ ...base, batchSize: 0.5 }))).to.match(
      /^--batch-size: 0.5, a whole/,
    );
    const train = { ...base, arch: "mobilenet-v2" };
    expect(await words(() => resolveTrainOptions({ ...train, learningRate: Number.NaN }, "train"))).to.equal(
      "--learning-rate: NaN, a positive number was needed",
    );
  });

  it("files become absolute, so that a run goes on from any folder; the word for fresh weights is none", () => {
    const base = { task: "gender", data: "synthetic:8", out: "x", backbone: "resnet18" };
    expect(resolveOptions({ ...base, weights: "random" }).weights).to.equal("random");
    expect(resolveOptions({ ...base, weights: "w.safetensors" }).weights).to.equal(resolve("w.safetensors"));
  });

  it("every option that a variant may change makes a line of its own in a sweep", () => {
    const variants = Object.entries<Option>(pruneTable).filter(([, { variant }]) => variant === true);
    expect(variants.map(([key]) => key)).to.include.members(["zoom", "shift", "epochs", "scaling"]);
    expect(variants.filter(([key]) => plainKeys.has(key))).to.deep.equal([]);
  });

  it("reads --ablate", async () => {
    expect(parseVariants(["zoom=0.1,epochs=2", "scaling=paper+refit=false"])).to.deep.equal([
      { zoom: 0.1 },
      { epochs: 2 },
      { scaling: "paper", refit: false },
    ]);
    expect(await words(() => parseVariants(["gama=1"]))).to.match(/^--ablate: "gama", one of .*scaling/);
    expect(await words(() => parseVariants(["epochs="]))).to.match(/^--ablate: epochs=/);
    expect(await words(() => parseVariants(["refit=maybe"]))).to.match(/a value of --refit was needed/);
    expect(await words(() => parseVariants(["zoom=2"]))).to.equal("--zoom: 2, a number in [0, 1) was needed");
  });
});
