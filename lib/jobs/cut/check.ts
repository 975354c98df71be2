/** Is the cut network what it claims to be? It must give what the file gives with the cut inputs set to zero. */
import { own } from "../../core/own.ts";
import { EtlError, isEtlError, messageOf } from "../../core/errors.ts";
import { createRandom, type Random } from "../../core/random.ts";
import type { Engine, Program, Tensors } from "../../engine/engine.ts";
import {
  float32,
  producersOf,
  sizeOf,
  type ElementType,
  type Network,
  type Node,
  type Parameter,
  type Tensor,
} from "../../network/network.ts";
import { asSingle, withRoundedWeights } from "../../network/single.ts";
import { factsOf, operatorsWhere } from "../../network/operators/facts.ts";
import type { LayerPlan } from "../../surgery/plan.ts";
import { largestValue, openAt, openSizes, ROOM, type Assumed } from "../../network/fit.ts";
import { dataTypes } from "../../formats/onnx/tensor.ts";
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

/**
 * A second size, odd and oblong: what was folded for one size shows at another. Where a network needs multiples, the next; where
 * its values grow with the square of the places, a small one.
 */
const secondSizes = [
  [157, 211],
  [192, 320],
  [45, 61],
  [32, 64],
] as const;

/** What is made up for an input of a type: normal noise, bytes of a picture, else 0 and 1, which any table of rows has. */
function noiseOf(type: ElementType, random: Random): () => number {
  if (type === "float32") return () => random.normal();
  return type === "uint8" ? () => random.integer(256) : () => random.integer(2);
}

/** Noise for every input, as float32; see {@link withFloatInputs}. */
function noiseInputs(network: Network, assumed: Assumed, seed: number): Record<string, Tensor> {
  const random = createRandom(seed).fork("cut check");
  const { batch, sizes } = assumed;
  return Object.fromEntries(
    network.inputs.map(({ name, type, shape }) => {
      const bound = shape.map((dim) => (typeof dim === "number" ? dim : (own(sizes, dim) ?? batch)));
      return [
        name,
        { shape: bound, data: Float32Array.from({ length: sizeOf(bound) }, noiseOf(type, random)) },
      ];
    }),
  );
}

/** The network with inputs of whole numbers or yes and no given as float32, which engines are fed with, and cast to their type. */
function withFloatInputs(network: Network): Network {
  const whole = network.inputs.filter(({ type }) => type !== "float32");
  if (whole.length === 0) return network;
  const casts = whole.map(({ name, type }): Node => ({
    ...{ name: `${name}/etl-cast`, op: "Cast", domain: "", inputs: [name], outputs: [`${name}/etl-cast`] },
    attributes: { to: { type: "int", value: dataTypes[type] } },
  }));
  const cast = new Set(whole.map(({ name }) => name));
  const renamed = (name: string): string => (cast.has(name) ? `${name}/etl-cast` : name);
  return {
    ...network,
    inputs: network.inputs.map((input) => ({ ...input, type: "float32" })),
    nodes: [...casts, ...network.nodes.map((node) => ({ ...node, inputs: node.inputs.map(renamed) }))],
  };
}

/** How a cut compares with the masked original. */
export interface Comparison {
  /** Largest absolute difference over the largest absolute value, of the output where that is largest. */
  readonly difference: number;
  /** Finite numbers that were compared. */
  readonly compared: number;
  /** The inputs at which it was compared, as shapes of the first. */
  readonly shapes: readonly string[];
  readonly notes: readonly string[];
}

interface Comparing {
  readonly cut: Network;
  readonly layers: readonly LayerPlan[];
  readonly assumed: Assumed;
  readonly seed: number;
}

/**
 * Runs the masked file and the cut network on the same noise, where sizes are open at a second size, too. What is compared are the
 * outputs, but in front of a last Sigmoid or Softmax: behind it all numbers may be small, and rounding large beside them.
 *
 * @throws EtlError `unsupported` where the original does not run itself, or gives no finite number
 */
export async function compareWithMasked(
  engine: Engine,
  file: Network,
  { cut: cutFile, layers, assumed, seed }: Comparing,
): Promise<Comparison> {
  const [original, cut] = [file, cutFile].map((one) => withRoundedWeights(asSingle(one)));
  const outputs = comparable(original, cut);
  const [whole, masked, small] = [original, maskedNetwork(original, layers), cut].map(withFloatInputs);
  const at = async (where: Assumed): Promise<Comparison> => {
    const inputs = noiseInputs(original, where, seed);
    const expected = await once(engine, masked, { inputs, outputs }).catch(async (error: unknown) => {
      throw await itself(engine, whole, inputs, error);
    });
    const actual = await once(engine, small, { inputs, outputs });
    const shapes = [Object.values(inputs)[0]?.shape.join("x") ?? ""];
    const found = differences(actual, expected);
    if (found.difference <= tolerance) return { ...found, shapes, notes: [] };
    // Kernels that one of the widths suits alone sum in another order: over many places that is much.
    const plain = { inputs, outputs, plain: true };
    const same = differences(await once(engine, small, plain), await once(engine, masked, plain));
    const note = `at ${shapes[0]} the engine's fast kernels round by ${found.difference.toExponential(1)} of the output; compared without them`;
    if (same.difference <= tolerance) return { ...same, shapes, notes: [note] };
    const front = inFrontOfBytes(original, cut);
    if (front.length === 0) return { ...found, shapes, notes: [] };
    const floats = { inputs, outputs: front, plain: true };
    const before = differences(await once(engine, small, floats), await once(engine, masked, floats));
    return {
      ...before,
      shapes,
      notes: ["compared in front of where values become bytes, a step of which is more"],
    };
  };
  const first = await at(assumed);
  if (first.compared === 0) throw nothingFinite(original);
  if (original.inputs.every(({ shape }) => openSizes(shape).length === 0)) return first;
  // One picture first; some networks only run on several.
  const tries = [1 as const, assumed.batch].flatMap((batch) => secondSizes.map((pair) => ({ batch, pair })));
  for (const { batch, pair } of tries) {
    const where: Assumed = {
      batch,
      sizes: { ...assumed.sizes, ...openAt(original, pair, Math.ceil(pair[0] / 16)) },
    };
    if (!hasRoom(original, where)) continue;
    try {
      const second = await at(where);
      return {
        difference: Math.max(first.difference, second.difference),
        compared: first.compared + second.compared,
        shapes: [...first.shapes, ...second.shapes],
        notes: [...first.notes, ...second.notes],
      };
    } catch (error) {
      if (!(error instanceof OriginalFails)) throw error;
    }
  }
  const note = "compared at one size only: the original does not run at the others that were tried";
  return { ...first, notes: [...first.notes, note] };
}

/** Whether it fits together, as far as shapes tell, and into memory. */
function hasRoom(network: Network, where: Assumed): boolean {
  try {
    return largestValue(network, where) <= ROOM;
  } catch (error) {
    if (isEtlError(error)) return false;
    throw error;
  }
}

/** The original does not run by itself on these inputs: no fault of the cut. */
class OriginalFails extends EtlError {}

async function itself(engine: Engine, original: Network, inputs: Tensors, error: unknown): Promise<unknown> {
  try {
    await once(engine, original, { inputs, outputs: original.outputs.map(({ name }) => name) });
    return error;
  } catch (cause) {
    const shape = Object.values(inputs)[0]?.shape.join("x") ?? "";
    return new OriginalFails(
      "unsupported",
      `${original.name}: the original itself does not run on an input of ${shape} (${messageOf(cause)}), a model that runs was needed`,
      {
        hint: `${foreign(original) ?? "where it is made for another size, say --size HEIGHTxWIDTH"}; --no-check writes the cut all the same`,
        cause,
      },
    );
  }
}

/** Of an operator that belongs to a program of somebody's own: that it cannot be run here. */
function foreign({ nodes, functions = [] }: Network): string | undefined {
  const node =
    functions.length > 0
      ? undefined
      : nodes.find(({ domain }) => domain !== "" && !/^(com\.microsoft|ai\.onnx)/.test(domain));
  return (
    node &&
    `node "${node.name}" is ${node.op} of ${node.domain}, which can only be run by the program that it was made for`
  );
}

function nothingFinite(original: Network): EtlError {
  const found = [...original.parameters]
    .filter(([, { data }]) => data instanceof Float32Array && !data.every(Number.isFinite))
    .map(([name]) => name);
  const named = found.length === 0 ? "" : `; not finite are numbers in ${found.slice(0, 5).join(", ")}`;
  return new EtlError(
    "unsupported",
    `${original.name}: no output is a finite number${named}, finite weights were needed to compare with`,
    { hint: "--no-check writes the cut all the same" },
  );
}

/**
 * What of both networks is compared for each output: the value in front of a last Sigmoid or Softmax, and in front of whatever
 * makes an output that is no float; only values that the cut network has, too.
 */
function comparable(original: Network, cut: Network): string[] {
  const producers = producersOf(original);
  const kept = new Set(cut.nodes.flatMap(({ outputs }) => outputs));
  const found = new Set<string>();
  const float = new Set(original.outputs.filter(({ type }) => type === "float32").map(({ name }) => name));
  for (const { name } of original.outputs) {
    let maker = producers.get(name);
    while (maker?.op === "Identity" && maker.domain === "") maker = producers.get(maker.inputs[0]);
    const before = (maker?.inputs ?? []).filter((value) => kept.has(value));
    const isSquashed = maker !== undefined && squashing.has(maker.op) && maker.domain === "";
    if (float.has(name) && !(isSquashed && before.length > 0)) found.add(name);
    else for (const value of before) found.add(value);
  }
  return [...found];
}

/** The floats that become bytes first: behind them the smallest difference may be a step. */
function inFrontOfBytes(original: Network, cut: Network): string[] {
  const kept = new Set(cut.nodes.flatMap(({ outputs }) => outputs));
  const coarse = new Set<string>();
  const found: string[] = [];
  for (const { op, domain, inputs, outputs } of original.nodes) {
    const isBehind = inputs.some((name) => coarse.has(name));
    const writes = domain === "" && factsOf(op).bytes === "write";
    if (writes && !isBehind && kept.has(inputs[0])) found.push(inputs[0]);
    if (writes || isBehind) for (const name of outputs) coarse.add(name);
  }
  return [...new Set(found)];
}

const squashing: ReadonlySet<string> = new Set(operatorsWhere(({ squashes }) => squashes === true));

interface Run {
  readonly inputs: Tensors;
  readonly outputs: readonly string[];
  readonly plain?: boolean;
}

async function once(
  engine: Engine,
  network: Network,
  { inputs, outputs, plain = false }: Run,
): Promise<Tensors> {
  const program: Program = await engine.compile(network, { outputs, plain });
  try {
    return await program.run(inputs);
  } finally {
    await program.dispose();
  }
}

/** Over all outputs, each on its own scale. Of numbers that are not finite on both sides nothing is concluded. */
function differences(actual: Tensors, expected: Tensors): Pick<Comparison, "difference" | "compared"> {
  let [worst, compared] = [0, 0];
  for (const [name, { data, shape }] of Object.entries(expected)) {
    const other = actual[name];
    if (other.shape.join() !== shape.join()) return { difference: Infinity, compared };
    let [scale, difference] = [1e-20, 0];
    for (let i = 0; i < data.length; i++) {
      const [a, b] = [data[i], other.data[i]];
      if (!Number.isFinite(a) || !Number.isFinite(b)) {
        if (!Object.is(a, b)) difference = Infinity;
        continue;
      }
      compared++;
      scale = Math.max(scale, Math.abs(a));
      difference = Math.max(difference, Math.abs(a - b));
    }
    worst = Math.max(worst, difference / scale);
  }
  return { difference: worst, compared };
}
