/** Which parameters a training step changes. */
import { EtlError } from "../../core/errors.ts";
import { type Network, producersOf } from "../../network/network.ts";
import type { TrainingOptions } from "../engine.ts";

/** Inputs that are settings or statistics of an operator rather than weights. */
const settingInputs: Readonly<Partial<Record<string, readonly number[]>>> = {
  BatchNormalization: [3, 4],
  Clip: [1, 2],
  Dropout: [1],
  Pad: [2],
  Resize: [1, 2],
};

/**
 * Float32 parameters that a loss depends on and that `trainable` accepts, in the order of the network. Scalars (the 3
 * and the 6 of a written-out hard swish) and settings are constants. Running statistics of batch normalisation follow
 * the batches, not the gradient.
 */
export function trainableParameters(network: Network, options: TrainingOptions): string[] {
  const producers = producersOf(network);
  const reached = new Set<string>();
  const pending = options.losses.map(({ output }) => output);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    const node = producers.get(name);
    if (node) pending.push(...node.inputs);
  }
  for (const { output } of options.losses) {
    if (!producers.has(output)) {
      throw new EtlError("usage", `${output}: no node makes this value, an output to train on was needed`);
    }
  }
  const settings = new Set(
    network.nodes.flatMap(({ op, inputs }) => (settingInputs[op] ?? []).map((index) => inputs[index] ?? "")),
  );
  return [...network.parameters]
    .filter(
      ([name, { type, shape }]) =>
        type === "float32" && shape.length > 0 && reached.has(name) && !settings.has(name),
    )
    .map(([name]) => name)
    .filter((name) => options.trainable?.(name) ?? true);
}
