/**
 * Rows of ETL's Table 1 in the paper's accounting beside the true one, of plans for VGGFace:
 *
 *     etl plan --backbone vggface --weights random --task gender --data DIR --gamma 0.01 --round-to 1 --out runs/gender
 *     npx tsx test/bench/table-one.ts runs/gender runs/age > rows.md
 */
import { basename, join } from "node:path";
import { readJson } from "../../lib/core/files.ts";
import { tableOneRow } from "../support/table-one.ts";

console.log("| task | filters | FLOPS, the paper's | size, the paper's | multiplications | bytes |");
console.log("| ---- | ------- | ------------------ | ----------------- | --------------- | ----- |");
for (const run of process.argv.slice(2)) {
  const plan = (await readJson(join(run, "plan.json"))) as Parameters<typeof tableOneRow>[0];
  const { filters, paperFlops, paperBytes, macs, bytes } = tableOneRow(plan, 224);
  const numbers = [paperFlops, paperBytes, macs, bytes].map((value) => value.toExponential(2).toUpperCase());
  console.log(`| ${basename(run)} | ${filters.join(" of ")} | ${numbers.join(" | ")} |`);
}
