/** Shapes in words: numbers where they are fixed, names where they follow what the inputs leave open. */
import { fit } from "../fit.ts";
import type { Dim, Network } from "../network.ts";
import { inferShapes, type Bindings } from "../shapes/infer.ts";
import { follow } from "./follow.ts";
import { isSame } from "./size.ts";

/**
 * The shape of every value with the batch and other open dimensions left open: a dimension that is one of them gets its name (of
 * the batch the name of the first input's first dimension), one that depends on them in another way a name of its own.
 *
 * @throws EtlError that names the node where shapes clash, or an operator has no rule
 */
export function symbolicShapes(network: Network, bindings: Bindings = {}): Map<string, readonly Dim[]> {
  const { sizes } = fit(network);
  const [numbers, others] = [3, 5].map((batch) =>
    inferShapes(network, { ...sizes, ...bindings, ...batchAs(network, batch) }),
  );
  const { shapes } = follow(network, { bindings, largest: 1024 });
  const named = network.inputs.flatMap(({ name, shape }, input) =>
    shape.flatMap((dim, axis) => {
      const size = shapes.get(name)?.[axis];
      if (typeof dim !== "string" || size === undefined) return [];
      return [{ size, dim: axis === 0 && input > 0 ? batchOf(network) : dim }];
    }),
  );
  /** Of what the data flow does not reach: what is the same in two batches, where nothing else is open. */
  const unfollowed = (value: string, axis: number): number | undefined => {
    const size = numbers.get(value)?.[axis];
    return Object.keys(sizes).length === 0 && size === others.get(value)?.[axis] ? size : undefined;
  };
  return new Map(
    [...numbers].map(([value, shape]) => [
      value,
      shape.map((_, axis): Dim => {
        const size = shapes.get(value)?.[axis] ?? unfollowed(value, axis);
        if (typeof size === "number") return size;
        return named.find((one) => isSame(one.size, size))?.dim ?? `${value}.${axis}`;
      }),
    ]),
  );
}

const batchAs = (network: Network, batch: number): Bindings => ({ [batchOf(network)]: batch, batch });

function batchOf(network: Network): string {
  const first = network.inputs[0]?.shape[0];
  return typeof first === "string" ? first : "batch";
}
