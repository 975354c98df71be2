/** Where the heads of tasks go on a backbone: on its own features, or right behind its convolutions. Pure. */
import { EtlError } from "../core/errors.ts";
import { costOf } from "../network/cost.ts";
import type { Network, Node } from "../network/network.ts";
import { inferShapes } from "../network/shapes/infer.ts";
import { subnetwork } from "../network/subnetwork.ts";
import { findTaps } from "../network/taps.ts";
import { networkFingerprint, type Backbone, type HeadPlace } from "./backbone.ts";
import { cutAt, withHead } from "./head.ts";
import { forget } from "./metadata.ts";

/**
 * The backbone as heads need it. With `task` it ends behind its last convolution, and heads read the average of every filter
 * there (ETL, eq. 1): what came behind leaves, linear layers included. With `features` it stays as it is, save that features
 * that still have height and width are averaged too.
 *
 * @param what.place default: the backbone's own
 * @param what.outputs of all heads together: what leaves is replaced by an empty layer of so many, so that costs are true
 */
export function trunkOf(
  backbone: Backbone,
  what: { readonly place?: HeadPlace | undefined; readonly outputs: number },
): Backbone {
  const { network } = backbone;
  const place = what.place ?? backbone.head ?? "features";
  const value = place === "task" ? lastMap(backbone) : backbone.features;
  const shape = inferShapes(network).get(value) ?? [];
  if (shape.slice(2).every((size) => size === 1)) return backbone;
  const trunk = averaged(forget(cutAt(network, value), ["embedding", "task", "tasks", "parts"]), value);
  const features = trunk.outputs[0].name;
  const headed = withHead(trunk, features, { outputs: what.outputs });
  const { name, title, preprocessing, source, licence, notes } = backbone;
  return {
    name,
    title,
    preprocessing,
    source,
    licence,
    network: headed,
    features,
    fingerprint: networkFingerprint(headed),
    notes: [...notes, whatLeaves(network, trunk, value)],
  };
}

/** The value of the last convolution on the way to the features, after its activation. */
function lastMap({ name, network, features }: Backbone): string {
  const tap = findTaps(subnetwork(network, [features])).at(-1)?.tap;
  if (tap !== undefined) return tap;
  throw new EtlError("unsupported", `--head task: ${name} has no convolution, at least one was needed`, {
    hint: "--head features puts the heads on the network's own features",
  });
}

/** The network with the average over height and width of its only output, [n, channels], in that one's place. */
function averaged(network: Network, value: string): Network {
  const [mean, flat] = [`${value}/average`, `${value}/features`];
  const node = (name: string, op: string, input: string, attributes: Node["attributes"] = {}): Node => {
    return { name, op, domain: "", inputs: [input], outputs: [name], attributes };
  };
  const [{ type, shape }] = network.outputs;
  return {
    ...network,
    outputs: [{ name: flat, type, shape: shape.slice(0, 2) }],
    nodes: [
      ...network.nodes,
      node(mean, "GlobalAveragePool", value),
      node(flat, "Flatten", mean, { axis: { type: "int", value: 1 } }),
    ],
  };
}

/** "fc6, fc7, fc8 leave (130.3 M parameters, 521.1 MB): heads read the averages of conv5_3/relu". */
function whatLeaves(before: Network, after: Network, value: string): string {
  const [all, left] = [before, after].map((network) => costOf(network, { onUnknown: "skip" }));
  const stay = new Set(left.layers.map(({ name }) => name));
  const gone = all.layers.filter(({ name }) => !stay.has(name)).map(({ name }) => name);
  const read = `heads read the averages of ${value}`;
  if (gone.length === 0) return read;
  const [params, bytes] = [all.total.params - left.total.params, all.total.bytes - left.total.bytes];
  const sizes = `${(params / 1e6).toFixed(1)} M parameters, ${(bytes / 1e6).toFixed(1)} MB`;
  return `${gone.join(", ")} ${gone.length === 1 ? "leaves" : "leave"} (${sizes}): ${read}`;
}
