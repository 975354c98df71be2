// Dependencies point one way: core <- math, network <- record, formats, gradients, engine, data <- backbones, stages <- jobs <- bin.
const stages = [
  "align",
  "harvest",
  "lasso",
  "knee",
  "surgery",
  "finetune",
  "quantize",
  "latency",
  "evaluate",
  "report",
];
const ground = ["core", "math", "record", "network"];
const only = (from, allowed) => ({
  name: `${from}-imports-only-${allowed.join("-") || "itself"}`,
  severity: "error",
  from: { path: `^lib/${from}/` },
  to: { path: "^(lib|bin)/", pathNot: `^lib/(${[from, ...allowed].join("|")})/` },
});

module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    only("core", []),
    only("math", ["core"]),
    only("record", ["core", "math"]),
    only("network", ["core"]),
    only("gradients", ["core", "math", "network"]),
    only("formats", ["core", "network"]),
    only("engine", ["core", "math", "network", "gradients", "formats"]),
    only("data", ["core", "math", "record", "network"]),
    only("backbones", [...ground, "formats", "engine", "data"]),
    ...stages.map((stage) => only(stage, [...ground, "formats", "engine", "data", "backbones"])),
    only("web", [...ground, "formats", "engine", "data", "backbones", "align"]),
    {
      name: "jobs-share-only-run",
      comment: "A job is one program of the command line. jobs/many runs prune many times.",
      severity: "error",
      from: { path: "^lib/jobs/([^/]+)/", pathNot: "^lib/jobs/(many|run)/" },
      to: { path: "^lib/jobs/", pathNot: "^lib/jobs/($1|run)/" },
    },
    {
      name: "jobs-many-imports-only-prune-and-run",
      severity: "error",
      from: { path: "^lib/jobs/many/" },
      to: { path: "^lib/jobs/", pathNot: "^lib/jobs/(many|prune|run)/" },
    },
    {
      name: "jobs-run-imports-no-job",
      severity: "error",
      from: { path: "^lib/jobs/run/" },
      to: { path: "^lib/jobs/", pathNot: "^lib/jobs/run/" },
    },
    {
      name: "one-coupling-in-a-run",
      comment: "The context of a run has the analysis of its backbone; every stage is handed that one.",
      severity: "error",
      from: { path: "^lib/jobs/prune/", pathNot: "^lib/jobs/prune/context" },
      to: { path: "^lib/network/coupling/analyse" },
    },
    { name: "lib-does-not-import-bin", severity: "error", from: { path: "^lib/" }, to: { path: "^bin/" } },
    {
      name: "pure-stages-touch-no-engine-or-disk",
      severity: "error",
      from: {
        path: "^lib/(core|math|record|network|gradients|lasso|knee|surgery)/",
        pathNot: "^lib/core/(files|seal|spare|clock|worker|version)",
      },
      to: { path: "^(node:)?(fs|child_process|worker_threads)|^lib/engine/" },
    },
    {
      name: "native-packages-behind-the-engines",
      severity: "error",
      from: { path: "^(lib|bin)/", pathNot: "^lib/engine/(ort|tfjs)/" },
      to: { path: "node_modules/(onnxruntime|@tensorflow)" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
  },
};
