import { expect } from "chai";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  alignFolder,
  analyseCoupling,
  batches,
  bench,
  characteristicCurve,
  chooseCurveKnee,
  chooseKnee,
  costOf,
  createMomentsAccumulator,
  crossval,
  cutModel,
  demo,
  evaluateModel,
  exportPage,
  finetune,
  harvest,
  lassoPath,
  lassoPathFromMoments,
  loadBackbone,
  openDataset,
  openEngine,
  planSurgery,
  predictImages,
  prepareImages,
  profileFiles,
  prune,
  quantizeModel,
  readOnnx,
  reconstruct,
  resume,
  scaleFilters,
  selectByCriterion,
  sweep,
  train,
  type PruneOptions,
  type RunRecord,
  verifyModel,
} from "../../lib/index.ts";
import { speak } from "../../lib/core/voice.ts";
import { writeSmallBackbone } from "../support/small-backbone.ts";
import { refused } from "../support/refusal.ts";

/** What a program in plain JavaScript hands over. */
const loose = (value: object): never => value as never;

describe("library: options", function () {
  this.timeout(120_000);
  const run = { task: "gender", data: "synthetic:120", out: join(tmpdir(), "etl-never-made") };
  let endWords: () => void;
  before(() => {
    endWords = speak("names");
  });
  after(() => {
    endWords();
  });

  it("what is missing, or cannot be meant, is named by every job before it begins", async () => {
    const { task, data, out } = run;
    const nets = { archs: ["resnet18"] };
    for (const [call, message] of [
      [() => prune(loose({ task, data })), "prune: no out"],
      [() => prune(loose({ data, out })), "prune: no task"],
      [() => train(loose({ task, out, arch: "resnet18" })), "train: no data"],
      [() => crossval(loose({ ...nets, data, out })), "crossval: no task"],
      [() => sweep(loose({ gammas: [0.1], out })), "sweep: no tasks"],
      [() => sweep(loose({ tasks: task, gammas: [0.1], out })), "a list of { task, data } was needed"],
      [() => quantizeModel("face-resnet", loose({ out: "x.onnx" })), "quantizeModel: no data"],
      [() => quantizeModel("face-resnet", loose({ data: 3, out: "x.onnx" })), "data: 3, a text was needed"],
      [() => quantizeModel("face-resnet", loose({ data, out: "x.onnx", int8For: "all" })), "one of auto"],
      [() => quantizeModel("face-resnet", loose({ data, out: "x.onnx", calibrate: 0 })), "at least 1"],
      [() => prune(loose({ ...run, seed: "1" })), 'prune: seed is "1", a whole number'],
      [() => prune(loose({ ...run, seed: null })), "seed is null"],
      [() => train(loose({ ...run, arch: "resnet18", seed: 1.5 })), "seed is 1.5"],
      [() => prune(loose({ ...run, out: 3 })), "out is 3, a path"],
      [() => prune(loose({ ...run, replace: "no" })), 'replace is "no", true or false'],
      [() => prune(loose({ ...run, signal: 3 })), "the signal of an AbortController was needed"],
      [() => prune(loose({ ...run, progress: {} })), "progress is an object, an object with start"],
      [() => train(loose({ ...run, arch: 3 })), "backbone: 3, one of"],
    ] as const) {
      const error = await refused(call());
      expect(error.kind, message).to.equal("usage");
      expect(error.message).to.include(message);
    }
  });

  it("an unknown option is refused with the nearest that exists, by every job", async () => {
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      gama: () => prune(loose({ ...run, gama: 0.1 })),
      gammmas: () => sweep(loose({ tasks: [], gammas: [], out: run.out, gammmas: [0.1] })),
      epoch: () => train(loose({ ...run, arch: "resnet18", epoch: 1 })),
      fold: () => crossval(loose({ ...run, archs: ["resnet18"], fold: 3 })),
      labl: () => evaluateModel("face-resnet", loose({ data: run.data, labl: "x" })),
      corp: () => predictImages("face-resnet", [], loose({ corp: [0, 0, 1, 1] })),
      run: () => profileFiles(["face-resnet"], loose({ run: 3 })),
      distanse: () => verifyModel("face-resnet", "pairs.csv", loose({ distanse: "cosine" })),
      bach: () => bench("face-resnet", loose({ bach: 8 })),
      kep: () => cutModel(loose({ model: "face-resnet", out: "x.onnx", kep: 0.5 })),
      minscore: () => alignFolder("a", "b", loose({ minscore: 0.4 })),
      precison: () => exportPage("face-resnet", "x", loose({ precison: "uint8" })),
      calibrat: () => quantizeModel("face-resnet", loose({ data: "faces", out: "x.onnx", calibrat: 8 })),
      prt: () => demo("face-resnet", loose({ prt: 1 })),
      signl: () => resume("runs/none", loose({ signl: undefined })),
    };
    for (const [name, call] of Object.entries(calls)) {
      const error = await refused(call());
      expect(error.kind, name).to.equal("usage");
      expect(error.message).to.contain(`unknown option "${name}"`);
      expect(error.hint, name).to.match(/^did you mean \w+\?$/);
    }
    expect((await refused(prune(loose({ ...run, gama: 0.1 })))).hint).to.equal("did you mean gamma?");
    // What the points of a sweep are given by the sweep itself.
    const gamma = await refused(sweep(loose({ tasks: [], gammas: [0.1], out: run.out, gamma: 0.1 })));
    expect(gamma.hint).to.equal("did you mean gammas?");
  });

  it("and by every stage, where it would change nothing in silence", async () => {
    const network = readOnnx(await readFile(await writeSmallBackbone(join(tmpdir(), "etl-stage.onnx"))), {
      name: "small",
    });
    const coupling = analyseCoupling(network);
    const data = Float64Array.from({ length: 60 }, (_, i) => Math.sin(i * 1.7));
    const path = lassoPath({ x: { data, rows: 20, columns: 3 }, y: data.slice(0, 20) }, { lambdas: 5 });
    const sums = createMomentsAccumulator(3, 1);
    sums.add(Float32Array.from(data), Float32Array.from(data.slice(0, 20)), 20);
    const folds = [sums.moments()];
    const curve = characteristicCurve({ tap: "t", folds });
    const wrong = loose({ wrongg: 1 });
    const calls: Readonly<Record<string, () => unknown>> = {
      lassoPath: () => lassoPath({ x: { data, rows: 20, columns: 3 }, y: data.slice(0, 20) }, wrong),
      lassoPathFromMoments: () => lassoPathFromMoments(folds[0], wrong),
      characteristicCurve: () => characteristicCurve({ tap: "t", folds }, wrong),
      chooseKnee: () => chooseKnee(path, 0.1, wrong),
      chooseCurveKnee: () => chooseCurveKnee(curve, 0.1, wrong),
      selectByCriterion: () => selectByCriterion(network, coupling, wrong),
      planSurgery: () => planSurgery(network, new Map(), wrong),
      reconstruct: () => reconstruct(network, planSurgery(network, new Map()), new Map(), wrong),
      scaleFilters: () => scaleFilters(network, [], wrong),
      costOf: () => costOf(network, wrong),
      readOnnx: () => readOnnx(new Uint8Array(0), wrong),
      openEngine: () => openEngine(wrong),
      loadBackbone: () => loadBackbone("face-resnet", wrong),
      openDataset: () => openDataset(wrong),
      prepareImages: async () =>
        prepareImages(
          await openDataset({ task: run.task, data: run.data, seed: 0 }),
          { width: 8, height: 8 },
          wrong,
        ),
      batches: () => batches(loose({}), [], wrong).next(),
      harvest: () => harvest(loose({}), loose([]), wrong),
      finetune: () => finetune(network, wrong),
    };
    for (const [name, call] of Object.entries(calls)) {
      const error = await refused(Promise.resolve().then(call));
      expect(error.kind, name).to.equal("usage");
      expect(error.message).to.contain(`${name}: unknown option "`);
    }
  });

  it("messages, hints and warnings name options as the library's callers write them", async () => {
    const said = async (options: object): Promise<string> => {
      const { message, hint } = await refused(prune(loose({ ...run, ...options })));
      return `${message} | ${hint ?? ""}`;
    };
    expect(await said({ valFraction: 2 })).to.match(/^valFraction: 2, a number in/);
    expect(await said({ learningRates: [-1] })).to.match(/^learningRates: -1, one or more positive/);
    expect(await said({ controls: ["l2"] })).to.match(/^controls: l2, one of l1/);
    expect(await said({ augment: false, zoom: 0.1 })).to.contain(
      "zoom 0.1: augment: false ignores it, augment was needed",
    );
    expect(await said({ epochs: 0, baselineLearningRates: [1e-3], learningRates: [1e-2] })).to.contain(
      "learningRates 0.01: epochs 0 with baselineLearningRates ignores it",
    );
    expect(await said({ gamma: 0.1, targetFlops: 0.5 })).to.match(
      /^gamma and targetFlops: given together, gamma alone.*targetFlops, targetSize, targetMs and targetTime/,
    );
    expect(await said({ crop: [1, 2, 3, 4] })).to.match(/^crop: 1,2,3,4, .* \| for example crop 0\.18/);
    expect(await said({ data: "synthetic:none" })).to.match(/^data: found "synthetic:none"/);
    const cut = await refused(cutModel(loose({ model: "face-resnet", out: "x.onnx", targetFlops: 3 })));
    expect(cut.message).to.equal("targetFlops: 3, a share in (0, 1] was needed");
    const rate = await refused(train({ ...run, backbone: "resnet18", learningRate: -1 }));
    expect(rate.message).to.match(/^learningRate: -1/);
    const none = await refused(train({ ...run, backbone: "resnet18", epochs: 0, learningRate: 0.5 }));
    expect(none.message).to.equal("learningRate 0.5: epochs 0 ignores it, an epoch was needed");
    const size = await refused(predictImages("face-resnet", ["a.jpg"], { size: [9, 9] }));
    expect(`${size.message} ${size.hint ?? ""}`).to.match(/^size 9x9: .* leave size out/);
    const command = await refused(resume(join(run.out, "nothing")));
    expect(command.hint).to.match(/a run is begun by etl prune, train or crossval$/);
  });

  it("a value of another kind is refused", async () => {
    const message = async (options: object) => (await refused(prune(loose({ ...run, ...options })))).message;
    expect(await message({ gamma: "0.1" })).to.contain('"0.1", a number was needed');
    expect(await message({ refit: "false" })).to.contain('"false", true or false was needed');
    expect(await message({ learningRates: 0.1 })).to.contain("0.1, a list of numbers was needed");
    expect(await message({ controls: "l1" })).to.contain('"l1", a list of names was needed');
  });

  it("the reason of a signal is the cause of what is thrown; undefined is no signal", async () => {
    const folder = await mkdtemp(join(tmpdir(), "etl-abort-"));
    try {
      const backbone = await writeSmallBackbone(join(folder, "small.onnx"));
      const quick = { gamma: 0.3, epochs: 1, baselineEpochs: 1, learningRates: [1e-3], runs: 2 };
      const out = join(folder, "run");
      const options: PruneOptions = { ...run, ...quick, backbone, out, cacheDir: join(folder, "cache") };
      const reason = new Error("the window was closed");
      const controller = new AbortController();
      const progress = {
        ...{ start: () => undefined, update: () => undefined, note: () => undefined, warn: () => undefined },
        finish: () => {
          controller.abort(reason);
        },
      };
      const stopped = await refused(prune({ ...options, progress, signal: controller.signal }));
      expect(stopped.kind).to.equal("interrupted");
      expect(stopped.cause).to.equal(reason);
      // What was stopped goes on with the options it had.
      const again = await resume(out);
      expect(again.command).to.equal("prune");
      expect((again.result as RunRecord).gamma).to.equal(0.3);
      const aborted = AbortSignal.abort(reason);
      expect((await refused(predictImages(backbone, ["a.jpg"], { signal: aborted }))).cause).to.equal(reason);
      const cut = { model: backbone, out: join(folder, "cut.onnx"), keep: 0.5, signal: aborted };
      expect((await refused(cutModel(cut))).cause).to.equal(reason);
      const written = await cutModel({ ...cut, signal: undefined, progress: undefined });
      expect(written.out).to.equal(join(folder, "cut.onnx"));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
