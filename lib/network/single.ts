/** Networks in double precision, in single precision: what an engine that computes in float32 can run. */
import { nearestHalf } from "./half.ts";
import type { Attribute, Network, Node, Parameter, ValueInfo } from "./network.ts";

/** TensorProto.DataType of float64. */
const DOUBLE = 11;

/** The network with float32 for every float64; the same object where there is none. */
export function asSingle(network: Network): Network {
  const isDouble = [...network.inputs, ...network.outputs, ...network.parameters.values()].some(
    ({ type }) => type === "float64",
  );
  if (!isDouble) return network;
  const value = (info: ValueInfo): ValueInfo =>
    info.type === "float64" ? { ...info, type: "float32" } : info;
  return {
    ...network,
    inputs: network.inputs.map(value),
    outputs: network.outputs.map(value),
    nodes: network.nodes.map(singleNode),
    parameters: new Map([...network.parameters].map(([name, one]) => [name, singleParameter(one)])),
  };
}

function singleParameter(parameter: Parameter): Parameter {
  if (parameter.type !== "float64") return parameter;
  return { ...parameter, type: "float32", data: Float32Array.from(parameter.data as Float64Array) };
}

function singleNode(node: Node): Node {
  const attributes = Object.entries(node.attributes).map(([name, one]): [string, Attribute | undefined] => {
    if (one?.type === "tensor") return [name, { ...one, value: singleParameter(one.value) }];
    const isType = (name === "to" || name === "dtype") && one?.type === "int" && one.value === DOUBLE;
    return [name, isType ? { type: "int", value: 1 } : one];
  });
  return { ...node, attributes: Object.fromEntries(attributes) };
}

/** The network with weights that it casts to half precision rounded as that does it, since engines here compute in float32. */
export function withRoundedWeights(network: Network): Network {
  const parameters = new Map(network.parameters);
  const given = new Set(network.outputs.map(({ name }) => name));
  const nodes = network.nodes.filter(({ op, domain, inputs, outputs, attributes: { to } }) => {
    const source = parameters.get(inputs[0] ?? "");
    const half = op === "Cast" && to?.type === "int" ? to.stored : undefined;
    const isAlias = op === "Identity" || half !== undefined;
    if (domain !== "" || given.has(outputs[0]) || source?.type !== "float32" || !isAlias) return true;
    const data =
      half === undefined
        ? source.data
        : (source.data as Float32Array).map((value) => nearestHalf(value, half));
    parameters.set(outputs[0], { ...source, data });
    return false;
  });
  return nodes.length === network.nodes.length ? network : { ...network, nodes, parameters };
}
