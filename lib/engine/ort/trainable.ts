/** Which parameters a training step changes. */
import { EtlError } from "../../core/errors.ts";
import { type Network, producersOf } from "../../network/network.ts";
import type { TrainingOptions } from "../engine.ts";

/** Float32 parameters that a loss depends on and that `trainable` accepts, in the order of the network. */
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
  return [...network.parameters]
    .filter(([name, { type }]) => type === "float32" && reached.has(name))
    .map(([name]) => name)
    .filter((name) => options.trainable?.(name) ?? true);
}
