/** Hard sigmoids as the convolutions they are: kernels for bytes are quick at those, and there is none for a hard sigmoid. */
import { freshNames, nodeOf } from "../network/edit.ts";
import {
  consumersOf,
  float32,
  floatAttribute,
  type Network,
  type Node,
  type Parameter,
} from "../network/network.ts";
import { inferShapes } from "../network/shapes/infer.ts";
import { placesOf } from "./places.ts";

/**
 * Every HardSigmoid between layers in bytes, clip(alpha x + beta, 0, 1), becomes a depthwise convolution by alpha and a Clip, which
 * bytes of its range take no time for; HardSwish is that times its input. In bytes the weights are all one number, and the same function.
 */
export function hardGatesAsConvolutions(network: Network): Network {
  const gates = network.nodes.filter(
    ({ op, domain }) => domain === "" && (op === "HardSigmoid" || op === "HardSwish"),
  );
  if (gates.length === 0) return network;
  const shapes = inferShapes(network, { batch: 1 });
  let kept = gates.filter((gate) => shapes.get(gate.inputs[0])?.length === 4);
  // one that stays as it is may leave those behind it in floats
  while (kept.length > 0) {
    const { made, parts } = withConvolutions(network, kept, shapes);
    const places = placesOf(made);
    const consumers = consumersOf(made);
    const next = kept.filter((gate) => {
      const own = parts.get(gate) ?? [];
      const readers = consumers.get(gate.outputs[0]) ?? [];
      const isRead = readers.some((reader) => places.nodes.has(reader));
      const onBytes = own.every((node) => node.op === "Clip" || places.nodes.has(node));
      return isRead && onBytes && places.made.has(gate.inputs[0]);
    });
    if (next.length === kept.length) return made;
    kept = next;
  }
  return network;
}

/** @returns `parts`: what stands for each of the gates */
function withConvolutions(
  network: Network,
  gates: readonly Node[],
  shapes: ReadonlyMap<string, readonly number[]>,
): { readonly made: Network; readonly parts: ReadonlyMap<Node, readonly Node[]> } {
  const parameters = new Map(network.parameters);
  const fresh = freshNames(network);
  const store = (label: string, parameter: Parameter): string => {
    const name = fresh(label);
    parameters.set(name, parameter);
    return name;
  };
  const parts = new Map<Node, readonly Node[]>();
  for (const gate of gates) {
    const [{ name, inputs }, [result]] = [gate, gate.outputs];
    const [x] = inputs;
    const channels = shapes.get(x)?.[1] ?? 0;
    const isSwish = gate.op === "HardSwish";
    const [alpha, beta] = isSwish
      ? [1 / 6, 0.5]
      : [floatAttribute(gate, "alpha", 0.2), floatAttribute(gate, "beta", 0.5)];
    const each = (shape: number[], value: number): Parameter =>
      float32(shape, new Float32Array(channels).fill(value));
    const weights = store(`${name}.weight`, each([channels, 1, 1, 1], alpha));
    const bias = store(`${name}.bias`, each([channels], beta));
    const [low, high] = [0, 1].map((value) => store(`${name}.${value}`, float32([], Float32Array.of(value))));
    const [line, gated] = [fresh(`${name}.line`), isSwish ? fresh(`${name}.gate`) : result];
    const attributes = {
      kernel_shape: { type: "ints", value: [1, 1] },
      group: { type: "int", value: channels },
    } as const;
    parts.set(gate, [
      nodeOf("Conv", [x, weights, bias], line, attributes),
      nodeOf("Clip", [line, low, high], gated),
      ...(isSwish ? [nodeOf("Mul", [x, gated], result)] : []),
    ]);
  }
  const nodes = network.nodes.flatMap((node) => parts.get(node) ?? [node]);
  return { made: { ...network, nodes, parameters }, parts };
}
