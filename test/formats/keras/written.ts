/** Models as Keras 3 writes them: layers as JSON, weights by their places. */
import { createRandom } from "../../../lib/core/random.ts";
import type { LayerWeights } from "../../../lib/formats/keras/model.ts";
import { snakeCase } from "../../../lib/formats/keras/third.ts";
import { float32, type Parameter } from "../../../lib/network/network.ts";

export const random = createRandom(9);
export const tensor = (...shape: number[]): Parameter =>
  float32(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
  );

export interface Written {
  readonly kind: string;
  readonly config?: Record<string, unknown>;
  readonly args?: unknown[];
  readonly weights?: Record<string, Parameter>;
}

/** A Functional model of Keras 3, a chain unless a layer says its arguments. */
export function modelOf(
  side: number | null,
  channels: number,
  layers: readonly Written[],
): { config: unknown; weights: LayerWeights } {
  const tensorOf = (name: string): unknown => ({
    class_name: "__keras_tensor__",
    config: { keras_history: [name, 0, 0] },
  });
  const named = layers.map((layer, i) => ({ ...layer, name: `own_${i}` }));
  const list = named.map(({ kind, config = {}, args, name }, i) => ({
    class_name: kind,
    name,
    config: { name, ...config },
    inbound_nodes: [
      {
        args: (args ?? ["x"]).map((one) =>
          one === "x" ? tensorOf(i === 0 ? "in" : named[i - 1].name) : one,
        ),
        kwargs: {},
      },
    ],
  }));
  const input = {
    class_name: "InputLayer",
    name: "in",
    config: { name: "in", batch_shape: [null, side, side, channels] },
    inbound_nodes: [],
  };
  const config = {
    class_name: "Functional",
    config: {
      name: "third",
      layers: [input, ...list],
      input_layers: ["in", 0, 0],
      output_layers: [named[named.length - 1].name, 0, 0],
    },
  };
  const weights = new Map(named.map(({ name, weights: own = {} }) => [name, new Map(Object.entries(own))]));
  return { config, weights };
}

/** The weights as Keras 3 stores them. */
export async function thirdWeights(layers: readonly Written[]): Promise<Uint8Array> {
  const h5 = await import("h5wasm");
  const library = await h5.ready;
  const name = "/third.h5";
  const file = new h5.File(name, "w");
  const all = file.create_group("layers");
  const counts = new Map<string, number>();
  for (const { kind, weights = {} } of layers) {
    const snake = snakeCase(kind);
    const count = counts.get(snake) ?? 0;
    counts.set(snake, count + 1);
    const vars = all.create_group(count === 0 ? snake : `${snake}_${count}`).create_group("vars");
    Object.values(weights).forEach(({ data, shape }, i) => {
      vars.create_dataset({ name: String(i), data: data as Float32Array, shape: [...shape] });
    });
  }
  file.flush();
  file.close();
  return library.FS.readFile(name);
}
