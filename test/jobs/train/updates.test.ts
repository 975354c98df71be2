import { expect } from "chai";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { isEtlError } from "../../../lib/core/errors.ts";
import { silent, type Progress } from "../../../lib/core/progress.ts";
import type { EpochState } from "../../../lib/jobs/train/loop.ts";
import { train } from "../../../lib/jobs/train/train.ts";
import { smallTraining } from "../../support/small-training.ts";
import type { TrainOptions } from "../../../lib/jobs/train/options.ts";
import {
  intervalOf,
  nextUpdate,
  type SeenLosses,
  type WeightUpdate,
} from "../../../lib/jobs/train/updates.ts";

const plain = { thresholds: "fixed", thresholdRate: 0.01 } as const;

/** Three updates in a row of two labels with these losses. */
function course(lossWeights: "equal" | "dynamic" | "relative" | "dwa" | "aw"): number[][] {
  const before: WeightUpdate[] = [];
  for (const [k, losses] of [
    [1, 1],
    [0.5, 0.8],
    [0.25, 0.8],
  ].entries()) {
    const seen: SeenLosses = {
      iteration: k,
      epoch: k,
      losses,
      raw: new Float32Array(2),
      targets: new Float32Array(2),
      mask: undefined,
    };
    before.push(nextUpdate({ ...plain, lossWeights }, { labels: "plain" }, { seen, before }));
  }
  return before.map(({ weights }) => weights.map((weight) => Number(weight.toFixed(4))));
}

describe("jobs/train: updates of weights and thresholds", function () {
  this.timeout(120_000);
  let root: string;
  let faces: string;
  let options: TrainOptions;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-updates-"));
    faces = await drawFaces();
    options = {
      ...smallTraining(root),
    };
  });
  after(() => rm(root, { recursive: true, force: true }));

  /** 60 plain pictures with three labels: bright, red, neither of which the third follows. */
  async function drawFaces(): Promise<string> {
    const folder = join(root, "faces");
    await mkdir(folder);
    const lines = ["file,split,Bald,Smiling,Young"];
    for (let i = 0; i < 60; i++) {
      const [bald, smiling, young] = [i % 2, Math.floor(i / 2) % 2, Math.floor(i / 3) % 2];
      lines.push(`${i}.png,${i % 4 ? "train" : "test"},${bald},${smiling},${young}`);
      const background = { r: 60 + 150 * smiling, g: 40 + 2 * i, b: 40 + 180 * bald };
      const picture = sharp({ create: { width: 32, height: 32, channels: 3, background } });
      await picture.png().toFile(join(folder, `${i}.png`));
    }
    await writeFile(join(folder, "labels.csv"), [...lines, ""].join("\n"));
    return folder;
  }

  async function statesOf(out: string): Promise<readonly EpochState[]> {
    const text = await readFile(join(out, "history.json"), "utf8");
    return (JSON.parse(text) as { trained: { states: EpochState[] } }).trained.states;
  }

  it("the schemes of DMM-CNN's Table 2, update by update", () => {
    const one = [1, 1];
    expect(course("equal")).to.deep.equal([one, one, one]);
    expect(course("dynamic")).to.deep.equal([one, [0.5, 0.2], [0.5, 0]]);
    expect(course("relative")).to.deep.equal([one, [1.4286, 0.5714], [2, 0]]);
    // The first two of DWA are 1; then exp(0.25) and exp(0.5) over their mean.
    expect(course("dwa")).to.deep.equal([one, one, [0.8756, 1.1244]]);
    // Trends 1 and 0.25 of losses 0.5 and 0.8: 0.5 to 0.2; then 1 and 0.
    expect(course("aw")).to.deep.equal([one, [1.4286, 0.5714], [2, 0]]);
  });

  it("eq. 6 takes the epoch that is being trained, whatever the interval", () => {
    const before: WeightUpdate[] = [{ iteration: 0, losses: [1], weights: [1], thresholds: [0] }];
    const targets = Float32Array.of(0, 0, 1, 1);
    const raw = Float32Array.of(0.5, 0.5, 0.5, -0.5);
    // Two wrong yes, one wrong no of four: 0.01 * 3 * (2 - 1) / 4.
    const seen: SeenLosses = { iteration: 9, epoch: 3, losses: [1], raw, targets, mask: undefined };
    const config = { lossWeights: "equal", thresholds: "adaptive", thresholdRate: 0.01 } as const;
    const { thresholds } = nextUpdate(config, { labels: "signed" }, { seen, before });
    expect(thresholds[0]).to.be.closeTo(0.0075, 1e-12);
  });

  it("--update-every: so many iterations lie between two updates, across the ends of epochs", async () => {
    const out = join(root, "often");
    await train({ ...options, out, updateEvery: 3 });
    const states = await statesOf(out);
    const updates = states.flatMap((state) => state.updates ?? []);
    expect(updates.map(({ iteration }) => iteration)).to.deep.equal([0, 3, 6]);
    const [, first, second] = updates;
    const change = Math.abs(second.losses[0] - first.losses[0]) / first.losses[0];
    expect(second.weights[0]).to.be.closeTo(Math.min(1, change), 1e-12);
    // An epoch has 4 steps: at its end stands the update of step 3, with other losses than it saw.
    expect(states[1].weights).to.deep.equal(first.weights);
    expect(states[1].losses).not.to.deep.equal(first.losses);
  });

  it("an epoch as interval is the default, and what was stopped ends the same", async () => {
    const [once, said, stopped] = ["once", "said", "stopped"].map((name) => join(root, name));
    await train({ ...options, out: once });
    await train({ ...options, out: said, updateEvery: 4 });
    expect(await readFile(join(said, "outputs.onnx"))).to.deep.equal(
      await readFile(join(once, "outputs.onnx")),
    );
    const abort = new AbortController();
    const progress: Progress = {
      ...silent,
      start: (label) => {
        if (label.startsWith("mobilenet-v1, epoch 2")) abort.abort();
      },
    };
    const often = { ...options, updateEvery: 3 };
    const outcome: unknown = await train({ ...often, out: stopped, progress, signal: abort.signal }).catch(
      (error: unknown) => error,
    );
    expect(isEtlError(outcome, "interrupted"), String(outcome)).to.equal(true);
    await train({ ...often, out: stopped });
    expect(await readFile(join(stopped, "outputs.onnx"))).to.deep.equal(
      await readFile(join(root, "often", "outputs.onnx")),
    );
  });

  it("DWA compares the training part's losses, AW the validation part's; without a validation part all look at the training part", async () => {
    for (const lossWeights of ["dwa", "aw"] as const) {
      const out = join(root, lossWeights);
      await train({ ...options, data: faces, task: "attributes", out, lossWeights, epochs: 3 });
      const states = await statesOf(out);
      const seen = states.map(({ updates = [] }) => updates[0].losses);
      const own = states.map(({ losses }) => losses);
      if (lossWeights === "aw") expect(seen).to.deep.equal(own);
      else expect(seen).not.to.deep.equal(own);
      const means = states.map(({ weights }) => weights.reduce((sum, weight) => sum + weight, 0) / 3);
      for (const mean of means) expect(mean).to.be.closeTo(1, 1e-12);
      const even = states.map(({ weights }) => weights.every((weight) => weight === 1));
      expect(even).to.deep.equal([true, lossWeights === "dwa", false, false]);
    }
    const out = join(root, "training-part");
    const result = await train({ ...options, out, valFraction: 0, epochs: 1 });
    expect(result.dataset.val).to.equal(0);
    expect((await statesOf(out))[1].weights[0]).to.be.greaterThan(0);
  });

  it("a training that runs away ends with a model, and says of which use it is", async () => {
    const said: string[] = [];
    const progress: Progress = { ...silent, warn: (text) => void said.push(text) };
    const plainly = { thresholds: "fixed", lossWeights: "equal", learningRate: 1000, progress } as const;
    const { bestEpoch } = await train({ ...options, ...plainly, out: join(root, "away") });
    const states = await statesOf(join(root, "away"));
    expect(states.length).to.be.greaterThan(1);
    expect(said.filter((text) => text.includes("it diverges"))).not.to.deep.equal([]);
    const useless = states[bestEpoch].losses[0] > 10 * states[0].losses[0];
    const warned = said.some((text) =>
      text.includes(`epoch ${bestEpoch} is kept, and it has diverged itself`),
    );
    expect(warned).to.equal(useless);
  });

  it("a loss that is no number in the first epoch leaves the network as it began, said everywhere", async () => {
    const said: string[] = [];
    const progress: Progress = { ...silent, warn: (text) => void said.push(text) };
    const plainly = { ...options, thresholds: "fixed", lossWeights: "equal", progress } as const;
    const [lost, start] = [join(root, "lost"), join(root, "start")];
    const result = await train({ ...plainly, learningRate: 1e30, out: lost });
    await train({ ...plainly, epochs: 0, out: start });
    expect(await readFile(join(lost, "outputs.onnx"))).to.deep.equal(
      await readFile(join(start, "outputs.onnx")),
    );
    expect(result.bestEpoch).to.equal(0);
    const sentence =
      /the loss became .* \(epoch 1 of 2\): epoch 0 is kept, .* smaller learning rate than 1e\+30/;
    expect(result.stopped).to.match(sentence);
    for (const file of ["record.json", "metrics.json"])
      expect(await readFile(join(lost, file), "utf8"), file).to.match(sentence);
    expect(await readFile(join(lost, "report.html"), "utf8")).to.match(sentence);
    expect(said.filter((text) => sentence.test(text))).to.have.length(1);
  });

  it("an interval longer than the training is refused", () => {
    expect(() => intervalOf({ updateEvery: 9, epochs: 2 }, 4)).to.throw(
      "--update-every: 9 iterations of a training of 8",
    );
    expect(intervalOf({ updateEvery: 8, epochs: 2 }, 4)).to.equal(8);
  });
});
