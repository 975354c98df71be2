#!/usr/bin/env bash
# The packed package as strangers meet it: installed into empty folders with npm 10, with npm 11, and without optional
# packages, then used: etl doctor, a run on drawn faces, importers in JavaScript and TypeScript.
set -euo pipefail
cd "$(dirname "$0")/../.."
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
passed=0

npm run build >"$place/build.log" 2>&1 || { cat "$place/build.log"; exit 1; }
npm pack --silent --pack-destination "$place" >/dev/null
package=$(ls "$place"/*.tgz)
if tar -tzf "$package" | grep -q '\.map$'; then echo "source maps are packed without sources"; exit 1; fi

fails() {
  echo "install, $1: FAILED"
  tail -20 "$2"
  exit 1
}

# install NAME NPM-VERSION [OPTION...]
install() {
  local name=$1 version=$2 folder="$place/$1"
  shift 2
  mkdir -p "$folder"
  echo '{"name":"stranger","private":true,"type":"module"}' >"$folder/package.json"
  (
    cd "$folder"
    unset ONNXRUNTIME_NODE_INSTALL npm_config_ignore_scripts
    npx -y "npm@$version" install "$@" "$package" >install.log 2>&1 || fails "$name" install.log
    npx --no-install etl doctor >doctor.log 2>&1 || fails "$name" doctor.log
    grep -q 'would use: ort' doctor.log && grep -q '^ort: onnxruntime-node' doctor.log || fails "$name" doctor.log
    echo "install, $name: $(du -sm node_modules | cut -f1) MB"
  )
  passed=$((passed + 1))
}

install npm10 10
install npm11 11
install small 10 --omit=optional

cd "$place/small"
npx --no-install etl prune --data synthetic:60 --task gender --gamma 0.1 --epochs 1 --baseline-epochs 1 --runs 5 \
  --out run --quiet >run.log 2>&1 || fails "a run on 60 drawn faces" run.log
test -s run/report.html && test -s run/pruned.onnx
echo "install, a run on 60 drawn faces: done"
passed=$((passed + 1))

cat >importer.js <<'JS'
import { readFile } from "node:fs/promises";
import { costOf, openEngine, readOnnx } from "etl-prune";
const network = readOnnx(await readFile("run/pruned.onnx"), { name: "pruned" });
const engine = await openEngine({ threads: 1 });
const program = await engine.compile(network);
const x = { shape: [1, 3, 150, 150], data: new Float32Array(3 * 150 * 150) };
const { prediction } = await program.run({ [network.inputs[0].name]: x });
await program.dispose();
await engine.dispose();
if (prediction.data.length !== 1 || !(costOf(network).total.macs > 0)) throw new Error("no prediction");
JS
node importer.js >js.log 2>&1 || fails "an importer in JavaScript" js.log
cat >importer.ts <<'TS'
import { planSurgery, type Network, type Plan, type PruneOptions } from "etl-prune";
export const options: PruneOptions = { task: "gender", data: "synthetic", out: "x", gamma: 0.1 };
export const plan = (network: Network, wanted: Map<string, Uint32Array>): Plan => planSurgery(network, wanted);
TS
typescript=$OLDPWD/node_modules/typescript/bin/tsc
node "$typescript" --noEmit --strict --module nodenext --target es2023 --skipLibCheck false importer.ts \
  >ts.log 2>&1 || fails "an importer in TypeScript" ts.log
echo "install, importers in JavaScript and TypeScript: done"
passed=$((passed + 2))
# Where not even the program's own files can be opened.
(ulimit -n 32; node node_modules/etl-prune/dist/bin/etl.js --version) >files.log 2>&1 && fails "too few files may be open" files.log
grep -q '^hint: raise the limit' files.log || fails "too few files may be open" files.log
echo "install, too few files may be open: said"
passed=$((passed + 1))
echo "$passed passed, 0 failed"
