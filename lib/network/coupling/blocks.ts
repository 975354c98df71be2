/** Operators that trade channels for places: a channel of the wider map is a block of places in the larger one. */
import { intAttribute, stringAttribute } from "../network.ts";
import { freezeInputs, label, type Rule } from "./coupler.ts";
import { layoutOf } from "./spreads.ts";

/** DepthToSpace: the channels that make one block of places stay or go together. */
export const depthToSpace: Rule = (coupler, node) => {
  const layout = layoutOf(coupler, node, node.inputs[0], (axis) => axis === 1);
  if (!layout) return;
  const block = intAttribute(node, "blocksize", 1) ** 2;
  if (layout.axis !== 1 || layout.atoms.length % block !== 0) {
    freezeInputs(coupler, node, "does not run over the channels that the layer made");
    return;
  }
  const channels = layout.atoms.length / block;
  const depthFirst = stringAttribute(node, "mode", "DCR") === "DCR";
  const place = (channel: number, at: number): number =>
    layout.atoms[depthFirst ? at * channels + channel : channel * block + at];
  const first = Int32Array.from({ length: channels }, (_, channel) => place(channel, 0));
  for (let at = 1; at < block; at++) {
    const other = Int32Array.from(first, (_, channel) => place(channel, at));
    coupler.atoms.tie(first, other, label(node));
  }
  coupler.layouts.set(node.outputs[0], { axis: 1, atoms: first });
};

/** SpaceToDepth: every channel comes back once for each place of a block. */
export const spaceToDepth: Rule = (coupler, node) => {
  const layout = layoutOf(coupler, node, node.inputs[0], (axis) => axis === 1);
  if (!layout) return;
  if (layout.axis !== 1) {
    freezeInputs(coupler, node, "does not run over the channels that the layer made");
    return;
  }
  const { length } = layout.atoms;
  const places = length * intAttribute(node, "blocksize", 1) ** 2;
  const atoms = Int32Array.from({ length: places }, (_, i) => layout.atoms[i % length]);
  coupler.layouts.set(node.outputs[0], { axis: 1, atoms });
};
