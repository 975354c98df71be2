/** Values for the names that ts blocks only declare (`declare const ages: Float64Array`), as globals. */
import { createRandom } from "../../../lib/core/random.ts";
import type { Task } from "../../../lib/core/artifacts.ts";
import type { Tensors } from "../../../lib/engine/engine.ts";
import type { Validation } from "../../../lib/finetune/options.ts";
import { createBuilder } from "../../../lib/network/builder.ts";
import type { Network } from "../../../lib/network/network.ts";

const random = createRandom(7);
const normals = (length: number): number[] => Array.from({ length }, () => random.normal());
const features = 64;

/** Responses of filters: every eighth of them follows the age. */
const ages = Float64Array.from(normals(500), (value) => 40 + 10 * value);
const responses = Float64Array.from(normals(ages.length * features), (value, i) =>
  i % 8 === 0 ? value + (ages[Math.floor(i / features)] - 40) / 10 : value,
);

const shards = Array.from({ length: 10 }, (_, shard) => {
  const rows = ages.length / 10;
  return {
    x: Float32Array.from(responses.subarray(shard * rows * features, (shard + 1) * rows * features)),
    y: Float32Array.from(ages.subarray(shard * rows, (shard + 1) * rows)),
    rows,
  };
});

const task: Task = {
  name: "dark",
  kind: "binary",
  columns: ["dark"],
  classes: ["no", "yes"],
  outputs: 1,
  scale: 1,
  mirror: "keep",
};

/** One convolution and a head: is the picture dark? */
function darkNetwork(): Network {
  const weights = (...shape: number[]) => ({
    shape,
    data: Float32Array.from(normals(shape.reduce((a, b) => a * b)), (value) => 0.3 * value),
  });
  const net = createBuilder("dark");
  const x = net.relu(net.conv(net.input("image", ["batch", 3, 8, 8]), { weights: weights(4, 3, 3, 3) }));
  const pooled = net.flatten(net.averagePool(x, { kernel: 6 }));
  net.gemm(pooled, { name: "prediction", weights: weights(1, 4), bias: Float32Array.of(0) });
  return net.build(["prediction"]);
}

async function* epochBatches(epoch: number): AsyncIterable<Tensors> {
  const drawn = createRandom(epoch);
  for (let step = 0; step < 100; step++) {
    const light = Float32Array.from({ length: 4 }, () => drawn.normal());
    const data = Float32Array.from({ length: 4 * 192 }, (_, i) => light[Math.floor(i / 192)]);
    const dark = light.map((value) => Number(value < 0));
    yield await Promise.resolve({
      image: { shape: [4, 3, 8, 8], data },
      etl_target: { shape: [4, 1], data: dark },
    });
  }
}

/** How near the head's bias is to zero: any score that the weights alone decide will do. */
function validate(network: Network): Promise<Validation> {
  const loss = Math.abs(Number(network.parameters.get("prediction.bias")?.data[0] ?? 0));
  return Promise.resolve({ loss, accuracy: 1 / (1 + loss) });
}

Object.assign(globalThis, { ages, responses, shards, task, network: darkNetwork(), epochBatches, validate });
