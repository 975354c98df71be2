/** Options of every command. */
import type { Options } from "yargs";
import { engineNames } from "../lib/engine/engine.ts";

const [onnx, tensorflow] = engineNames;

export const globalOptions = {
  json: { type: "boolean", default: false, describe: "Print one JSON object on stdout, and nothing else" },
  config: {
    type: "string",
    describe: "JSON file of options, by their names in the library",
    defaultDescription: "none",
  },
  quiet: { type: "boolean", default: false, describe: "Warnings only, no progress" },
  verbose: { type: "boolean", default: false, describe: "Show every step, and the stack of an error" },
  seed: { type: "number", default: 0, describe: "Seed of everything random" },
  threads: {
    type: "number",
    describe: "Compute threads",
    defaultDescription: "all cores; one to time networks",
  },
  engine: { choices: ["auto", ...engineNames], default: "auto", describe: "What computes" },
  device: { choices: ["cpu", "cuda"], describe: "On what", defaultDescription: "see etl doctor" },
} as const satisfies Readonly<Record<string, Options>>;

/** What yargs adds: these take no value. */
export const builtIn = ["help", "version"] as const;

/** What other programs call options and values of ours. */
export const elsewhere: Readonly<Record<string, readonly string[]>> = {
  ...{ model: ["backbone"], arch: ["backbone"], network: ["backbone"], net: ["backbone"] },
  ...{ m: ["backbone"], i: ["data"], image: ["data"], w: ["weights"], t: ["task"] },
  ...{ o: ["out"], output: ["out"], dest: ["out"], d: ["data"], dataset: ["data"], input: ["data"] },
  ...{ lr: ["learning-rate"], batch: ["batch-size"], bs: ["batch-size"], batchsize: ["batch-size"] },
  ...{ gpu: ["device cuda", "cuda"], j: ["threads"], jobs: ["threads"], workers: ["threads"] },
  ...{ tensorflow: [tensorflow], "tensorflow.js": [tensorflow], onnx: [onnx], onnxruntime: [onnx] },
  ...{ tasks: ["task"], task: ["tasks"], gammas: ["gamma"], gamma: ["gammas"] },
  ...{ force: ["replace"], overwrite: ["replace"], f: ["replace", "format"] },
  ...Object.fromEntries(
    ["amount", "ratio", "sparsity", "fraction", "percent", "prune-ratio"].map((word) => [
      word,
      ["keep (the share that stays)", "target-flops (the share of the MACs that stays)"],
    ]),
  ),
  ...{ magnitude: ["l1"], norm: ["l1"], uniform: ["random"] },
  ...{ flops: ["target-flops"], macs: ["target-flops"], latency: ["target-ms"], ms: ["target-ms"] },
  ...{ q: ["quiet"], silent: ["quiet"], debug: ["verbose"], v: ["verbose"], c: ["config"] },
  ...{ to: ["format"], type: ["format"], resolution: ["size"], shape: ["size"], imgsz: ["size"] },
  ...{ e: ["epochs"], "max-epochs": ["epochs"], "num-epochs": ["epochs"], steps: ["epochs"] },
  ...{ save: ["out"], "output-dir": ["out"], "data-dir": ["data"], images: ["data"], folder: ["data"] },
  ...{
    target: ["task"],
    label: ["task"],
    labels: ["data"],
    pretrained: ["weights"],
    checkpoint: ["weights"],
  },
};

/** What other programs call commands of ours. */
export const otherCommands: Readonly<Record<string, string>> = {
  ...{ version: "--version", options: "--help", usage: "--help", man: "--help", commands: "--help" },
  ...{ run: "prune", start: "prune", compress: "prune", slim: "prune", distill: "prune", fit: "train" },
  ...{ infer: "predict", inference: "predict", detect: "predict", classify: "predict", test: "evaluate" },
  ...{ eval: "evaluate", validate: "evaluate", val: "evaluate", accuracy: "evaluate", score: "evaluate" },
  ...{ convert: "export", save: "export", serve: "demo", web: "demo", time: "profile", speed: "profile" },
  ...{ benchmark: "bench", inspect: "plan", info: "doctor", check: "doctor", status: "doctor" },
  ...{ list: "backbones", ls: "backbones", models: "backbones", zoo: "backbones", continue: "resume" },
  ...{ generate: "draw", synthesize: "draw", crop: "align", diff: "compare", show: "report" },
  ...{
    html: "report",
    quant: "quantize",
    int8: "quantize",
    tune: "finetune",
    search: "sweep",
    grid: "sweep",
  },
};
