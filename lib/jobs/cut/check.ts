/** Is the cut network what it claims to be? It must give what the file gives with the cut inputs set to zero. */
import { createRandom } from "../../core/random.ts";
import type { Engine, Program, Tensors } from "../../engine/engine.ts";
import {
  float32,
  sizeOf,
  type Network,
  type Node,
  type Parameter,
  type Tensor,
} from "../../network/network.ts";
import type { LayerPlan } from "../../surgery/plan.ts";
import { layersOf } from "./model.ts";

/** Largest difference that is taken for rounding, as a share of the largest output. */
export const tolerance = 1e-4;

/** The file's network with the input of every layer multiplied by the 0/1 mask of its `keptInputs`. */
export function maskedNetwork(original: Network, layers: readonly LayerPlan[]): Network {
  const plans = new Map(layers.map((layer) => [layer.name, layer]));
  const fileLayers = new Map(layersOf(original).map((layer) => [layer.node.name, layer]));
  const parameters = new Map<string, Parameter>(original.parameters);
  const nodes = original.nodes.flatMap((node): Node[] => {
    const plan = plans.get(node.name);
    const layer = fileLayers.get(node.name);
    if (!plan || !layer || plan.keptInputs.length === plan.totalInputs) return [node];
    const source = node.inputs[layer.input] ?? "";
    const mask = new Float32Array(plan.totalInputs);
    for (const channel of plan.keptInputs) mask[channel] = 1;
    const [table, masked] = [`${node.name}/etl-mask`, `${node.name}/etl-masked`];
    parameters.set(
      table,
      float32([plan.totalInputs, ...Array.from({ length: layer.trailing }, () => 1)], mask),
    );
    const inputs = node.inputs.map((name, i) => (i === layer.input ? masked : name));
    return [
      { name: masked, op: "Mul", domain: "", inputs: [source, table], outputs: [masked], attributes: {} },
      { ...node, inputs },
    ];
  });
  return { ...original, nodes, parameters };
}

/** Normal noise for every input, two pictures where the batch is open; undefined where an input is not float32. */
export function noiseInputs(network: Network, seed: number): Record<string, Tensor> | undefined {
  if (network.inputs.some(({ type }) => type !== "float32")) return undefined;
  const random = createRandom(seed).fork("cut check");
  return Object.fromEntries(
    network.inputs.map(({ name, shape }) => {
      const bound = shape.map((dim, axis) => (typeof dim === "number" ? dim : axis === 0 ? 2 : 224));
      return [
        name,
        { shape: bound, data: Float32Array.from({ length: sizeOf(bound) }, () => random.normal()) },
      ];
    }),
  );
}

/**
 * Runs the masked file and the cut network on the same noise.
 *
 * @returns largest absolute difference over the largest absolute output; undefined where inputs cannot be made up
 */
export async function compareWithMasked(
  engine: Engine,
  original: Network,
  {
    cut,
    layers,
    seed,
  }: { readonly cut: Network; readonly layers: readonly LayerPlan[]; readonly seed: number },
): Promise<number | undefined> {
  const inputs = noiseInputs(original, seed);
  if (inputs === undefined) return undefined;
  const expected = await once(engine, maskedNetwork(original, layers), inputs);
  return largestDifference(await once(engine, cut, inputs), expected);
}

async function once(engine: Engine, network: Network, inputs: Tensors): Promise<Tensors> {
  const program: Program = await engine.compile(network);
  try {
    return await program.run(inputs);
  } finally {
    await program.dispose();
  }
}

/** Over all outputs, each on its own scale. Values that are no numbers in both count as equal. */
export function largestDifference(actual: Tensors, expected: Tensors): number {
  let worst = 0;
  for (const [name, { data, shape }] of Object.entries(expected)) {
    const other = actual[name];
    if (other.shape.join() !== shape.join()) return Infinity;
    let [scale, difference] = [1e-20, 0];
    for (let i = 0; i < data.length; i++) {
      if (Object.is(data[i], other.data[i])) {
        if (Number.isFinite(data[i])) scale = Math.max(scale, Math.abs(data[i]));
        continue;
      }
      const distance = Math.abs(data[i] - other.data[i]);
      scale = Math.max(scale, Number.isFinite(data[i]) ? Math.abs(data[i]) : 0);
      difference = Math.max(difference, Number.isNaN(distance) ? Infinity : distance);
    }
    worst = Math.max(worst, difference / scale);
  }
  return worst;
}
