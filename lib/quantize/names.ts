/** Names for what is added to a network. */
import type { Network } from "../network/network.ts";

/** `base`, or `base2`, ..., which no name of the network contains: a name with it behind is new. */
export function freshMark({ inputs, nodes, parameters }: Network, base: string): string {
  const names = [
    ...inputs.map(({ name }) => name),
    ...parameters.keys(),
    ...nodes.flatMap(({ name, outputs }) => [name, ...outputs]),
  ];
  let mark = base;
  for (let i = 2; names.some((name) => name.includes(mark)); i++) mark = `${base}${i}`;
  return mark;
}
