/** Names for what is added to a network. */
import type { Network } from "./network.ts";

/** Gives a name that nothing in the network has yet: `label`, or `label_2`, ...; each name once. */
export function freshNames({ parameters, nodes, inputs }: Network): (label: string) => string {
  const taken = new Set([
    ...parameters.keys(),
    ...inputs.map(({ name }) => name),
    ...nodes.flatMap(({ name, outputs }) => [name, ...outputs]),
  ]);
  return (label) => {
    let name = label;
    for (let i = 2; taken.has(name); i++) name = `${label}_${i}`;
    taken.add(name);
    return name;
  };
}
