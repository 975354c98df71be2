/** What a backbone is, however it was loaded. */
import { createHash } from "node:crypto";
import type { Preprocessing } from "../core/artifacts.ts";
import type { SaidSizes } from "../network/fit.ts";
import type { Network } from "../network/network.ts";

/** Where heads go: on the network's own features, or on the averages of its last convolution. */
export type HeadPlace = "task" | "features";

/** A network ready to be harvested: what it is, how pictures get in, where its features are. */
export interface Backbone {
  readonly name: string;
  readonly title: string;
  readonly network: Network;
  readonly preprocessing: Preprocessing;
  /** Name of the value that heads are put on: [n, channels] or [n, channels, height, width]. */
  readonly features: string;
  /** Where heads go unless something else is asked for; default: `features`. */
  readonly head?: HeadPlace;
  /** Name of the value that describes a picture, where the network has one (a face descriptor). */
  readonly embedding?: string;
  /** Where the weights come from. */
  readonly source: string;
  readonly licence: string;
  /** Changes when the graph or a weight does; does not depend on where a file lies. */
  readonly fingerprint: string;
  /** What was assumed, one sentence each: to be printed. */
  readonly notes: readonly string[];
}

export interface LoadOptions {
  /** A file with weights, or `random`: fresh ones from `seed`. */
  readonly weights?: string;
  /** Seed of random weights; default 1. */
  readonly seed?: number;
  /** Where heads are put, in place of the backbone's own choice: the name of a value. */
  readonly features?: string;
  /** Replaces what the file or the catalogue says, field by field. */
  readonly preprocessing?: Partial<Preprocessing>;
  /** Numbers for open dimensions of a model file, by the names that it gives them. */
  readonly bind?: SaidSizes["bind"];
  /** Take a file that is made for one picture a run as it is. @defaultValue false: a free batch is needed */
  readonly single?: boolean;
}

/** A backbone that can be loaded by name. */
export interface BackboneEntry {
  readonly name: string;
  readonly title: string;
  /** What it is for, in a few words. */
  readonly use: string;
  readonly preprocessing: Preprocessing;
  /** `embedded`: nothing to fetch; `file`: the user has to bring the weights. */
  readonly weights: "embedded" | "file";
  readonly source: string;
  readonly licence: string;
  load(options: LoadOptions): Promise<Backbone>;
}

/** Hash of a network: its graph, its inputs and outputs, and every parameter. Names of files do not enter. */
export function networkFingerprint(network: Network): string {
  const hash = createHash("sha256");
  const { opset, inputs, outputs, nodes, parameters } = network;
  hash.update(JSON.stringify({ opset, inputs, outputs, nodes: nodes.map(plainNode) }));
  for (const [name, { type, shape, data }] of parameters) {
    hash.update(JSON.stringify([name, type, shape]));
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex").slice(0, 32);
}

/** A node as JSON can hold it: tensors among the attributes become lists of numbers. */
function plainNode(node: Network["nodes"][number]): unknown {
  const attributes = Object.entries(node.attributes).map(([key, attribute]) =>
    attribute?.type === "tensor"
      ? [key, attribute.value.type, attribute.value.shape, Array.from(attribute.value.data, String)]
      : [key, attribute],
  );
  return [node.name, node.op, node.domain, node.inputs, node.outputs, attributes];
}
