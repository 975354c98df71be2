/** A changed network as a file like the one it came from: its element types, its operator set, what it says of itself. */
import type { ElementType, FileFacts, Half, Network, Node, Parameter } from "../../network/network.ts";
import { factsOf } from "../../network/operators/facts.ts";
import { downgrade } from "./downgrade.ts";
import { forOurFile } from "./ours.ts";
import { irVersion, writeOnnx, writeOnnxLike } from "./write.ts";

export interface FileLike {
  readonly bytes: Uint8Array;
  /** What could not be as it was. */
  readonly notes: readonly string[];
}

/** The oldest IR version whose files say their operator sets. */
const OLDEST_IR = 3;

/** The network as an ONNX file; one that was read from another format, or built, as today's ONNX. */
export function writeLike(network: Network): FileLike {
  if (network.file === undefined) return { bytes: writeOnnx(network), notes: [] };
  const { opset, irVersion: written } = network.file;
  const file = written >= OLDEST_IR ? network.file : { ...network.file, irVersion: irVersion(opset) };
  const typed = withStoredTypes(forOurFile(network));
  const older = downgrade(typed, file.opset);
  if (!("newer" in older)) return { bytes: writeOnnxLike(older, file), notes: [] };
  const { newer } = older;
  const facts: FileFacts = {
    ...file,
    opset: network.opset,
    irVersion: Math.max(file.irVersion, irVersion(network.opset)),
  };
  const note = `the file has operator set ${network.opset}, the original ${file.opset}: node "${newer.name}" (${newer.op}) has no form in that`;
  return { bytes: writeOnnxLike(typed, facts), notes: [note] };
}

/** Operators that take numbers of another type than that of what they compute with. */
const mixed: ReadonlySet<string> = new Set([
  "Resize",
  "QuantizeLinear",
  "DequantizeLinear",
  "Dropout",
  "Range",
]);

type Stored = Half | ElementType | undefined;

/** Parameters that were computed from those of the file get the type that their readers compute in. */
function withStoredTypes(network: Network): Network {
  const parameters = new Map(network.parameters);
  const types = new Map<string, Stored>();
  for (const [name, { type, stored }] of [...parameters]) types.set(name, stored ?? type);
  for (const { name, type, stored } of network.inputs) types.set(name, stored ?? type);
  const isHalf = (type: Stored): type is Half => type === "float16" || type === "bfloat16";
  for (const node of network.nodes) {
    const half = node.inputs.map((name) => types.get(name)).find(isHalf);
    for (const name of half === undefined || mixed.has(node.op) ? [] : node.inputs) {
      const parameter: Parameter | undefined = network.parameters.get(name);
      if (half === undefined || parameter?.type !== "float32" || parameter.stored !== undefined) continue;
      parameters.set(name, { ...parameter, stored: half });
      types.set(name, half);
    }
    const made = typeMade(node, (index) => types.get(node.inputs[index] ?? ""));
    for (const output of node.outputs) types.set(output, made);
  }
  return { ...network, parameters };
}

const wholeOrTruth: ReadonlySet<string> = new Set(
  "Shape Size ArgMax ArgMin Equal Less LessOrEqual Greater GreaterOrEqual And Or Not Xor IsNaN IsInf NonZero".split(
    " ",
  ),
);

/** Element type of the first output, as far as half precision goes. */
function typeMade(node: Node, typeOf: (index: number) => Stored): Stored {
  if (wholeOrTruth.has(node.op)) return undefined;
  const { to, value } = node.attributes;
  if (node.op === "Cast") return to?.type === "int" ? to.stored : undefined;
  if (node.op === "ConstantOfShape") return value?.type === "tensor" ? value.value.stored : undefined;
  if (node.op === "Where" || node.op === "DequantizeLinear" || node.op === "CastLike") return typeOf(1);
  if (factsOf(node.op).shape === "broadcast") return typeOf(0) ?? typeOf(1);
  return typeOf(0);
}
