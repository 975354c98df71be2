/** The two files of a web page back into a network; runs in the page itself. */
import { EtlError } from "../../core/errors.ts";
import {
  elementArrays,
  sizeOf,
  type Attribute,
  type Network,
  type Node,
  type Parameter,
} from "../../network/network.ts";
import { halfToFloat } from "../../network/half.ts";
import { WEB_SCHEMA, type StoredParameter, type WebModel } from "./layout.ts";

/** Whether a parsed JSON file is the first of the two. */
export function isWebModel(value: unknown): value is WebModel {
  return typeof value === "object" && value !== null && (value as { schema?: unknown }).schema === WEB_SCHEMA;
}

/**
 * Reads a network with its weights as they were rounded.
 *
 * @param numbers the bytes of the other file
 * @throws EtlError `format` where the two do not belong together
 */
export function readWebModel(model: WebModel, numbers: Uint8Array, where: string): Network {
  if (numbers.length !== model.bytes) {
    throw new EtlError(
      "format",
      `${where}: ${numbers.length} bytes of numbers beside it, ${model.bytes} were needed`,
      {
        hint: "export the model again: the two files are not of one export",
      },
    );
  }
  const all = new Map(
    model.parameters.map((stored) => [stored.name, decode(stored, numbers, where)] as const),
  );
  const inNodes = new Set<string>();
  const nodes = model.network.nodes.map(({ attributes, ...node }): Node => {
    const own = Object.entries(attributes).map(([key, attribute]): [string, Attribute] => {
      if (attribute.type !== "tensor") return [key, attribute];
      const value = all.get(attribute.parameter);
      if (value === undefined) throw damaged(where, `no tensor ${JSON.stringify(attribute.parameter)}`);
      inNodes.add(attribute.parameter);
      return [key, { type: "tensor", value }];
    });
    return { ...node, attributes: Object.fromEntries(own) };
  });
  const parameters = new Map([...all].filter(([name]) => !inNodes.has(name)));
  return { ...model.network, nodes, parameters };
}

function decode(
  { name, type, shape, offset, stored, min = [], scale = [] }: StoredParameter,
  numbers: Uint8Array,
  where: string,
): Parameter {
  const count = sizeOf(shape);
  const width = stored === "uint8" ? 1 : stored === "float16" ? 2 : elementArrays[type].BYTES_PER_ELEMENT;
  if (offset + count * width > numbers.length) throw damaged(where, `${name} beyond the end`);
  // A copy: typed arrays must begin at a multiple of their element.
  const { buffer } = numbers.slice(offset, offset + count * width);
  if (stored === "float16") {
    return { type, shape, data: Float32Array.from(new Uint16Array(buffer), halfToFloat) };
  }
  if (stored === undefined) return { type, shape, data: new elementArrays[type](buffer) };
  const row = count / shape[0];
  const data = Float32Array.from(new Uint8Array(buffer), (byte, i) => {
    const at = Math.floor(i / row);
    return min[at] + scale[at] * byte;
  });
  return { type, shape, data };
}

function damaged(where: string, found: string): EtlError {
  return new EtlError("format", `${where}: ${found}, a whole model of a web page was needed`, {
    hint: "export the model again",
  });
}
