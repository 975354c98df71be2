// Dependencies point one way: core <- network <- formats, engine, data <- backbones, stages <- pipeline <- bin.
const stages = ["align", "harvest", "lasso", "knee", "surgery", "finetune", "evaluate", "report"];
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
    only("network", ["core"]),
    only("formats", ["core", "network"]),
    only("engine", ["core", "network", "formats"]),
    only("data", ["core", "network"]),
    only("backbones", ["core", "network", "formats", "engine", "data"]),
    ...stages.map((stage) => only(stage, ["core", "network", "formats", "engine", "data", "backbones"])),
    { name: "lib-does-not-import-bin", severity: "error", from: { path: "^lib/" }, to: { path: "^bin/" } },
    {
      name: "pure-stages-touch-no-engine-or-disk",
      severity: "error",
      from: { path: "^lib/(core|network|lasso|knee|surgery)/", pathNot: "^lib/core/(files|clock|worker)" },
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
