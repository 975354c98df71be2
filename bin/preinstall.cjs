/**
 * Runs before the packages that etl-prune depends on run their own install scripts (npm's order: every `preinstall`, then
 * every `postinstall`). It needs nothing but Node, and is plain old JavaScript so that an old Node can say what it lacks.
 *
 * onnxruntime-node carries its CPU library, but on Linux x64 its installer also downloads three libraries for NVIDIA GPUs
 * (hundreds of megabytes, from outside the npm registry), and fails the whole installation where it cannot. It leaves the
 * download out where files of these names lie there already. So a note of a few lines is left under each name.
 * Who wants the GPU libraries gets them over the notes with: ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node
 */
var fs = require("fs");
var path = require("path");

var version = process.versions.node.split(".").map(Number);
if (version[0] < 20 || (version[0] === 20 && version[1] < 19)) {
  console.error("etl-prune: Node " + process.versions.node + " was found, Node 20.19 or later is needed.");
  process.exit(1);
}

var names = [
  "libonnxruntime_providers_cuda.so",
  "libonnxruntime_providers_shared.so",
  "libonnxruntime_providers_tensorrt.so",
];
var note =
  "Not a library: etl-prune left this note so that the installer of onnxruntime-node downloads nothing.\n" +
  "For the library itself: ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node\n";

if (process.platform === "linux" && process.arch === "x64" && !process.env.ONNXRUNTIME_NODE_INSTALL) {
  try {
    var root = path.dirname(require.resolve("onnxruntime-node/package.json"));
    var folder = path.join(root, "bin", "napi-v6", process.platform, process.arch);
    if (fs.existsSync(folder)) {
      names.forEach(function (name) {
        var file = path.join(folder, name);
        if (!fs.existsSync(file)) fs.writeFileSync(file, note);
      });
    }
  } catch (error) {
    // Not unpacked yet, or not ours to write: the installer of onnxruntime-node then does as it always does.
    console.warn("etl-prune: onnxruntime-node was not prepared (" + error.message + ")");
  }
}
