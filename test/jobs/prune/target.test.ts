import { expect } from "chai";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadBackbone } from "../../../lib/backbones/catalogue.ts";
import { withHead } from "../../../lib/backbones/head.ts";
import { messageOf } from "../../../lib/core/errors.ts";
import { silent, type Progress } from "../../../lib/core/progress.ts";
import { asGiven, resolveOptions, targetsOf } from "../../../lib/jobs/prune/config.ts";
import { type PruneOptions } from "../../../lib/jobs/prune/options.ts";
import { runPipeline } from "../../../lib/jobs/prune/prune.ts";
import { largestGamma, thin } from "../../../lib/jobs/prune/aim/target.ts";
import { aimSentence, outcomeSentence } from "../../../lib/jobs/prune/aim/sentences.ts";
import { shared, workOf } from "../../../lib/latency/features.ts";
import type { LatencyTable, TableEntry } from "../../../lib/latency/table.ts";
import type { RunState } from "../../../lib/jobs/run/state.ts";

const base: PruneOptions = { task: "gender", data: "synthetic:60", out: "nowhere" };

describe("targets instead of gamma", () => {
  it("bisects to the largest gamma that is accurate enough, in few evaluations", async () => {
    const gammas = Float64Array.from({ length: 32 }, (_, i) => i / 32);
    for (let edge = 0; edge < 32; edge++) {
      let evaluations = 0;
      const accuracy = (gamma: number): Promise<number> => {
        evaluations += 1;
        return Promise.resolve(gamma <= edge / 32 ? 0.95 - gamma / 100 : 0.5);
      };
      const choice = await largestGamma(accuracy, 0.9, gammas);
      expect(choice).to.deep.equal({ gamma: edge / 32, cost: 0.95 - edge / 3200, reached: true });
      expect(evaluations).to.be.at.most(6);
    }
  });

  it("keeps everything and says so where no gamma is accurate enough", async () => {
    const choice = await largestGamma(() => Promise.resolve(0.7), 0.9, Float64Array.of(0, 0.5));
    expect(choice).to.deep.equal({ gamma: 0, cost: 0.7, reached: false });
    const aim = { target: { kind: "accuracy", value: 0.9 }, gamma: 0, value: 0.7, reached: false } as const;
    expect(aimSentence({ ...aim, evaluations: 1 })).to.match(/at least 90 %: not reached.* 70 %/);
  });

  it("thins a list to its ends and even steps between", () => {
    const gammas = Float64Array.from({ length: 1000 }, (_, i) => i);
    const few = thin(gammas, 64);
    expect([few.length, few[0], few[63]]).to.deep.equal([64, 0, 999]);
    few.subarray(1).forEach((gamma, i) => expect(gamma - few[i]).to.be.within(15, 16));
    expect(thin(few, 64)).to.equal(few);
  });

  it("takes gamma, an accuracy, or bounds on costs, each in its range", () => {
    const refusal = (options: Partial<PruneOptions>): string => {
      try {
        resolveOptions({ ...base, ...options });
        return "";
      } catch (error) {
        return messageOf(error);
      }
    };
    expect(refusal({ gamma: 0.1, targetFlops: 0.3 })).to.match(/--gamma and --target-flops: given together/);
    expect(refusal({ minAccuracy: 0.9, targetSize: 1e6 })).to.match(
      /--target-size and --min-accuracy: given together, --min-accuracy alone/,
    );
    expect(refusal({ targetFlops: 0.3, targetMs: -1 })).to.match(/--target-ms: -1, a positive number/);
    expect(refusal({ targetFlops: 1.3 })).to.match(/--target-flops: 1.3, a number in \(0, 1\]/);
    expect(refusal({ minAccuracy: 0 })).to.match(/--min-accuracy: 0/);
    expect(refusal({ targetSize: -1 })).to.match(/--target-size: -1, a positive number/);
    expect(targetsOf(resolveOptions({ ...base, targetMs: 3, targetFlops: 0.3 }))).to.deep.equal([
      { kind: "flops", value: 0.3 },
      { kind: "ms", value: 3 },
    ]);
    expect(targetsOf(resolveOptions({ ...base, gamma: 0.2 }))).to.deep.equal([]);
    const chosen = { ...resolveOptions({ ...base, targetMs: 3 }), gamma: 0.37 };
    expect(resolveOptions(asGiven(chosen)).targetMs).to.equal(3);
  });

  it("says in the end whether measured numbers meet the target", () => {
    const aim = { gamma: 0.2, value: 4.9, reached: true, evaluations: 7 };
    const pruned = { medianMs: 5.25, timeShare: 0.25, fileBytes: 1200, accuracy: 0.93 };
    const say = (kind: "flops" | "size" | "ms" | "time" | "accuracy", value: number): string | undefined =>
      outcomeSentence({ ...aim, target: { kind, value } }, pruned);
    expect(say("ms", 4.9)).to.equal("target at most 4.9 ms: not reached, 5.250 ms measured at the end");
    expect(say("ms", 5.2)).to.match(/^target at most 5.2 ms: reached within 5 %, /);
    expect(say("time", 0.25)).to.equal("target at most 25 % of the time: reached, 25 % measured at the end");
    // What was chosen is told as that, so that the end may be told otherwise beside it.
    const time = { predictedMs: 0.73, measuredMs: 0.72, wholeMs: 7.3 };
    const timed = { ...aim, target: { kind: "time", value: 0.1 }, value: 0.0986, time } as const;
    expect(aimSentence(timed)).to.match(
      /^target at most 10 % of the time: reached when it was chosen, at gamma 0.2 with 9.86 %/,
    );
    expect(aimSentence({ ...timed, reached: false })).to.match(/nearest is taken.*; --allocate knapsack can/);
    const knapsack = { allocate: "knapsack" } as const;
    expect(aimSentence({ ...timed, reached: false }, knapsack)).not.to.contain("--allocate");
    expect(say("size", 1200)).to.equal("target at most 1200 bytes: reached, the file has 1200");
    expect(say("accuracy", 0.9)).to.match(/^target at least 90 %: reached, 93 %/);
    expect(say("flops", 0.3)).to.equal(undefined);
  });
});

/** All kinds of work of the backbone with a head, at rates that add up to `ms`, layers alone. */
async function ratesOf(ms: number, block: number): Promise<Record<string, number>> {
  const backbone = await loadBackbone("face-resnet");
  const network = withHead(backbone.network, backbone.features, { outputs: 1 });
  const work = [...workOf(network, block)];
  const macs = work.reduce((sum, [kind, amount]) => sum + (isLayer(kind) ? amount : 0), 0);
  return Object.fromEntries(work.map(([kind]) => [kind, isLayer(kind) ? ms / macs : 0]));
}
const isLayer = (kind: string): boolean => !Object.values<string>(shared).includes(kind);

describe("a run with a target", function () {
  this.timeout(300_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-target-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("chooses gamma from the curves, keeps it, and does not look for it again", async () => {
    const options = { ...base, out: join(root, "run"), cacheDir: join(root, "cache"), seed: 2 };
    const said: string[] = [];
    const progress: Progress = { ...silent, note: (text) => void said.push(text) };
    const { aim, planned, context } = await runPipeline({ ...options, targetFlops: 0.3, progress }, "plan");
    const [hit] = aim?.targets ?? [];
    expect(hit).to.deep.include({ target: { kind: "flops", value: 0.3 }, reached: true, gamma: aim?.gamma });
    // gamma's own steps are larger than this: blocks were put back
    expect(hit.value).to.be.within(0.29, 0.3);
    expect(aim?.widths?.allocate).to.equal("gamma");
    const { before, after } = planned?.plan ?? { before: { macs: 1 }, after: { macs: 1 } };
    expect(after.macs / before.macs).to.be.closeTo(hit.value, 0.01);
    expect(context.config.gamma).to.equal(aim?.gamma);
    expect(said.join("\n")).to.match(/target at most 30 %: reached at gamma/);

    const state = JSON.parse(await readFile(join(options.out, "run.json"), "utf8")) as RunState;
    expect(state.config).to.include({ gamma: aim?.gamma, targetFlops: 0.3 });
    const labels: string[] = [];
    const again = asGiven({ ...state.config, out: options.out } as unknown as PruneOptions);
    const quiet: Progress = { ...silent, start: (label) => void labels.push(label) };
    const second = await runPipeline({ ...again, progress: quiet }, "plan");
    expect(second.aim).to.deep.equal(aim);
    expect(labels).not.to.include("target");

    const smaller = await runPipeline({ ...options, targetSize: 1e6 }, "plan");
    expect(smaller.aim?.targets[0].value).to.be.within(0.8e6, 1e6);
    // both bounds at once: the larger gamma, which reaches the other, too
    const both = await runPipeline({ ...options, targetFlops: 0.3, targetSize: 0.05 }, "plan");
    const [flops, size] = both.aim?.targets ?? [];
    expect(both.aim).to.deep.include({ gamma: Math.max(flops.gamma, size.gamma), reached: true });
    expect(flops).to.deep.include({ gamma: hit.gamma, reached: true });
    expect(size.value / size.target.value).to.be.within(0.8, 1);
    const costs = both.planned?.plan;
    expect((costs?.after.macs ?? 1) / (costs?.before.macs ?? 1)).to.be.at.most(0.3);

    // Another machine's table decides without a measurement, and so does its block.
    const entry = async (int8: boolean, wholeMs: number): Promise<TableEntry> => ({
      ...{ threads: 2, int8, wholeMs, networks: 24, error: { median: 0, largest: 0 } },
      rates: await ratesOf(wholeMs, 4),
    });
    const table: LatencyTable = {
      ...{ schema: 1, network: "elsewhere", cpu: "", engine: "", block: 4, batch: 1 },
      entries: [await entry(false, 8), await entry(true, 2)],
    };
    await writeFile(join(root, "table.json"), JSON.stringify(table));
    const timed = { ...options, out: join(root, "timed"), table: join(root, "table.json") };
    for (const int8 of [false, true]) {
      const share = int8 ? 0.12 : 0.45;
      const asked = { ...timed, int8, targetTime: share };
      const { aim: time, planned: widths } = await runPipeline(asked, "plan");
      expect(widths?.plan.rounding?.multiple).to.equal(4);
      const [found] = time?.targets ?? [];
      expect(found.time?.wholeMs).to.equal(8);
      expect(found.value).to.be.within(0.7 * share, share);
      expect(found.time?.predictedMs).to.be.closeTo(8 * found.value, 1e-9);
      expect(found.time).to.not.have.property("measuredMs");
    }
    const { before: whole } = planned?.plan ?? expect.fail("no plan");
    const widths = new Map<string, string>();
    for (const allocate of ["uniform", "knapsack"] as const) {
      const asked = { ...options, out: join(root, allocate), allocate, targetFlops: 0.3 };
      const chosen = await runPipeline(asked, "plan");
      const plan = chosen.planned?.plan ?? expect.fail("no plan");
      expect(plan.after.macs / whole.macs, allocate).to.be.within(0.28, 0.301);
      expect(chosen.aim?.targets[0]).to.deep.include({ reached: true });
      for (const { keptOutputs, totalOutputs } of plan.layers)
        expect(
          keptOutputs.length % (planned?.plan.rounding?.multiple ?? 1) === 0 ||
            keptOutputs.length === totalOutputs,
        ).to.equal(true);
      expect((await runPipeline(asked, "plan")).planned?.plan).to.deep.equal(plan);
      widths.set(allocate, plan.layers.map(({ keptOutputs }) => keptOutputs.length).join());
    }
    expect(widths.get("uniform")).to.not.equal(widths.get("knapsack"));
    expect(() => resolveOptions({ ...base, allocate: "knapsack" })).to.throw(
      /--allocate: knapsack, --target-time, --target-ms, --target-flops or --target-size/,
    );

    const none = await runPipeline({ ...options, targetFlops: 1e-5 }, "plan");
    expect(none.aim?.reached).to.equal(false);
  });
});
