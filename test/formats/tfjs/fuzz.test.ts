import { expect } from "chai";
import { EtlError, isEtlError } from "../../../lib/core/errors.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { readTfjs } from "../../../lib/formats/tfjs/read.ts";
import { writeTfjs } from "../../../lib/formats/tfjs/write.ts";
import type { Network } from "../../../lib/network/network.ts";
import { sketch } from "../../support/patterns.ts";
import { mutate } from "../mutate.ts";

/** Number of mutated files; `ETL_FUZZ=10000` for the long run. */
const runs = Number(process.env["ETL_FUZZ"] ?? 500);

function seed(): Network {
  const s = sketch("seed");
  const x = s.input("image", ["batch", 3, 6, 6]);
  const a = s.relu(s.norm(s.layer(x, "a", [3, 4]), 4));
  const b = s.add(a, s.layer(a, "b", [4, 4]));
  return s.build([s.dense(s.flatten(s.maxPool(b, { kernel: 2, strides: 2 })), "fc", [36, 3])], { a: "b" });
}

describe("formats/tfjs: fuzz", () => {
  for (const part of ["model.json", "model.json without the graph", "group1-shard1of1.bin"]) {
    it(`${runs} times ${part}, mutated: read or refused, in bounded memory`, async function () {
      this.timeout(60_000 + runs * 200);
      const files = writeTfjs(seed());
      const model = JSON.parse(new TextDecoder().decode(files.get("model.json"))) as Record<string, unknown>;
      if (part.endsWith("graph"))
        files.set("model.json", Buffer.from(JSON.stringify({ ...model, userDefinedMetadata: {} })));
      const random = createRandom(part);
      const target = part.split(" ")[0];
      const original = files.get(target) ?? new Uint8Array();
      let [readable, refused] = [0, 0];
      for (let i = 0; i < runs; i++) {
        const changed = new Map(files).set(target, mutate(original, random));
        const text = new TextDecoder().decode(changed.get("model.json"));
        let parsed: unknown;
        try {
          parsed = JSON.parse(text);
        } catch {
          refused++;
          continue;
        }
        try {
          const network = await readTfjs(parsed, {
            name: "fuzz",
            read: (name) => {
              const bytes = changed.get(name);
              if (bytes === undefined) throw new EtlError("io", `${name}: no such file`);
              return Promise.resolve(bytes);
            },
          });
          readable++;
          const held = [...network.parameters.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
          expect(held, `mutation ${i}`).to.be.at.most(64 * original.length + 65536);
        } catch (error) {
          if (!isEtlError(error)) throw new Error(`mutation ${i}: not an EtlError`, { cause: error });
          refused++;
        }
      }
      expect(readable).to.be.above(0);
      expect(refused).to.be.above(0);
    });
  }
});
