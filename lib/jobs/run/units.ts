/** Units of training: regression targets are standardised, so that one learning rate fits degrees and years. */
import type { Moments } from "../../core/artifacts.ts";
import { headOf, type HeadOfOutput } from "../../backbones/head.ts";
import { EtlError } from "../../core/errors.ts";
import { float32, type Network, type Node } from "../../network/network.ts";

/** Per output: target = mean + std x (what the trained head predicts). Zeros and ones where nothing is scaled. */
export interface Units {
  readonly mean: Float64Array;
  readonly std: Float64Array;
}

/** Mean and standard deviation of each output over the rows of the moments; none for classes. */
export function unitsOf(moments: Moments, regression: boolean): Units {
  const { n, q, sumY, yy } = moments;
  const mean = new Float64Array(q);
  const std = new Float64Array(q).fill(1);
  if (!regression) return { mean, std };
  for (let k = 0; k < q; k++) {
    mean[k] = sumY[k] / n;
    const variance = yy[k * q + k] / n - mean[k] * mean[k];
    std[k] = variance > 0 ? Math.sqrt(variance) : 1;
  }
  return { mean, std };
}

/** Row-major [n, q] targets in training units. */
export function standardise(y: Float32Array, { mean, std }: Units): Float32Array {
  const q = mean.length;
  return y.map((value, i) => (value - mean[i % q]) / std[i % q]);
}

/** Row-major [n, q] predictions back in target units. */
export function unstandardise(z: Float32Array, { mean, std }: Units): Float32Array {
  const q = mean.length;
  return z.map((value, i) => value * std[i % q] + mean[i % q]);
}

/** The network with its linear head (that of `output`) in training units (`into: "training"`) or back in target units. */
export function rescaleHead(
  network: Network,
  units: Units,
  into: "training" | "target",
  output: string = network.outputs[0].name,
): Network {
  const head = headOf(network, output);
  if (head === undefined) throw noHead(network);
  const { mean, std } = units;
  return into === "training"
    ? scaleOutputs(network, head, { scale: std.map((s) => 1 / s), offset: mean.map((m, k) => -m / std[k]) })
    : scaleOutputs(network, head, { scale: std, offset: mean });
}

/** The network whose outputs are scale * output + offset, per output. */
export function scaleOutputs(
  network: Network,
  head: HeadOfOutput,
  { scale, offset }: { readonly scale: Float64Array; readonly offset: Float64Array },
): Network {
  const weight = network.parameters.get(head.weight);
  const bias = network.parameters.get(head.bias ?? "");
  if (!head.transposed || head.bias === undefined || weight === undefined || bias === undefined)
    throw noHead(network);
  const width = weight.shape[1];
  const w = Float32Array.from(
    weight.data as Float32Array,
    (value, i) => value * scale[Math.floor(i / width)],
  );
  const b = Float32Array.from(bias.data as Float32Array, (value, k) => value * scale[k] + offset[k]);
  const parameters = new Map(network.parameters)
    .set(head.weight, float32(weight.shape, w))
    .set(head.bias, float32(bias.shape, b));
  return { ...network, parameters };
}

/**
 * The network whose `output` is scale * what it was + offset: in the linear layer that makes it where there is one, else by
 * layers of its own behind it.
 */
export function affineOutput(
  network: Network,
  output: string,
  { scale, offset }: { readonly scale: Float64Array; readonly offset: Float64Array },
): Network {
  const head = headOf(network, output);
  if (head?.bias !== undefined && head.transposed) return scaleOutputs(network, head, { scale, offset });
  const [raw, scaled] = [`${output}/raw`, `${output}/scaled`];
  const renamed = network.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((name) => (name === output ? raw : name)),
    outputs: node.outputs.map((name) => (name === output ? raw : name)),
  }));
  const parameters = new Map(network.parameters);
  const step = (op: string, from: string, to: string, values: Float64Array): Node => {
    const table = `${to}/${op === "Mul" ? "scale" : "offset"}`;
    parameters.set(table, float32([1, values.length], Float32Array.from(values)));
    return {
      name: `${to}/${op.toLowerCase()}`,
      op,
      domain: "",
      inputs: [from, table],
      outputs: [to],
      attributes: {},
    };
  };
  const moved = scale.every((s) => s === 1)
    ? [step("Add", raw, output, offset)]
    : [step("Mul", raw, scaled, scale), step("Add", scaled, output, offset)];
  return { ...network, nodes: [...renamed, ...moved], parameters };
}

function noHead(network: Network): EtlError {
  return new EtlError(
    "unsupported",
    `${network.name}: no linear head with a bias, one made by etl was needed`,
  );
}

/** Labels of some rows, [rows.length, q]. */
export function gather(values: Float32Array, rows: ArrayLike<number>, q: number): Float32Array {
  const out = new Float32Array(rows.length * q);
  for (let i = 0; i < rows.length; i++) out.set(values.subarray(rows[i] * q, (rows[i] + 1) * q), i * q);
  return out;
}
