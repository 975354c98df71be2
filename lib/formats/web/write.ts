/** A network into the two files of a web page. */
import { EtlError } from "../../core/errors.ts";
import type { Attribute, Network, Parameter } from "../../network/network.ts";
import { floatToHalf } from "../../network/half.ts";
import {
  isRounded,
  WEB_SCHEMA,
  webFiles,
  type StoredAttribute,
  type StoredParameter,
  type WebModel,
  type Precision,
} from "./layout.ts";

/**
 * Writes a network for a web page.
 *
 * @param precision how large tables are stored; `uint8` has its own range for each row (output channel)
 * @returns file name -> bytes
 * @throws EtlError `unsupported` where a weight is not a number or too large for half precision
 */
export function writeWebModel(network: Network, precision: Precision): Map<string, Uint8Array> {
  const chunks: Uint8Array[] = [];
  const parameters: StoredParameter[] = [];
  let offset = 0;
  const store = (name: string, parameter: Parameter): void => {
    const { bytes, ...how } = encode(name, parameter, isRounded(parameter) ? precision : "float32");
    const { type, shape } = parameter;
    parameters.push({ name, type, shape, offset, ...how });
    chunks.push(bytes);
    offset += bytes.length;
  };
  for (const [name, parameter] of network.parameters) store(name, parameter);
  const nodes = network.nodes.map(({ attributes, ...node }) => {
    const stored = Object.entries(attributes).map(([key, attribute]): [string, StoredAttribute] => [
      key,
      storedAttribute(attribute as Attribute, (tensor) => {
        const name = `${node.name}/${key}`;
        store(name, tensor);
        return name;
      }),
    ]);
    return { ...node, attributes: Object.fromEntries(stored) };
  });
  const { name, opset, inputs, outputs, metadata } = network;
  const model: WebModel = {
    schema: WEB_SCHEMA,
    bytes: offset,
    precision,
    network: { name, opset, inputs, outputs, metadata, nodes },
    parameters,
  };
  const numbers = new Uint8Array(offset);
  parameters.forEach((parameter, i) => {
    numbers.set(chunks[i], parameter.offset);
  });
  return new Map([
    [webFiles.graph, new TextEncoder().encode(JSON.stringify(model))],
    [webFiles.numbers, numbers],
  ]);
}

function storedAttribute(attribute: Attribute, store: (tensor: Parameter) => string): StoredAttribute {
  return attribute.type === "tensor" ? { type: "tensor", parameter: store(attribute.value) } : attribute;
}

type Encoded = Pick<StoredParameter, "stored" | "min" | "scale"> & { readonly bytes: Uint8Array };

function encode(name: string, parameter: Parameter, form: Precision): Encoded {
  const { data } = parameter;
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (form === "float32") return { bytes: raw };
  const values = data as Float32Array;
  if (!values.every(Number.isFinite)) throw unfit(name, "a weight that is no number");
  return form === "float16" ? inHalves(name, values) : inBytes(values, parameter.shape[0]);
}

function inHalves(name: string, values: Float32Array): Encoded {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = Uint16Array.from(bits, floatToHalf);
  if (halves.some((half) => (half & 0x7c00) === 0x7c00)) throw unfit(name, "a weight above 65504");
  return { stored: "float16", bytes: new Uint8Array(halves.buffer) };
}

function inBytes(values: Float32Array, rows: number): Encoded {
  const width = values.length / rows;
  const bytes = new Uint8Array(values.length);
  const [min, scale]: [number[], number[]] = [[], []];
  for (let row = 0; row < rows; row++) {
    const part = values.subarray(row * width, (row + 1) * width);
    const [least, most] = [part.reduce((a, b) => Math.min(a, b)), part.reduce((a, b) => Math.max(a, b))];
    const step = (most - least) / 255;
    min.push(least);
    scale.push(step);
    part.forEach((value, i) => {
      bytes[row * width + i] = step === 0 ? 0 : Math.round((value - least) / step);
    });
  }
  return { stored: "uint8", min, scale, bytes };
}

function unfit(name: string, found: string): EtlError {
  return new EtlError("unsupported", `${name}: ${found}, one that fits the precision was needed`, {
    hint: "--precision float32 stores them as they are",
  });
}
