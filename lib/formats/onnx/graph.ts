/** Order of a graph that came from a file: every value known before it is used, or an error that names the node. */
import { EtlError } from "../../core/errors.ts";
import type { Node, Parameter, ValueInfo } from "../../network/network.ts";

export interface GraphContext {
  readonly file: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly Pick<ValueInfo, "name">[];
  readonly parameters: ReadonlyMap<string, Parameter>;
}

/**
 * The nodes in topological order (the file's order where it is one already).
 *
 * @throws EtlError kind `format` for an input that nothing makes, for a cycle, for an output or an input twice
 */
export function sortNodes(nodes: readonly Node[], context: GraphContext): Node[] {
  const { file, inputs, outputs, parameters } = context;
  const known = new Set<string>(parameters.keys());
  for (const { name } of inputs) {
    if (known.has(name)) {
      throw new EtlError("format", `${file}: input "${name}": declared twice, one was needed`);
    }
    known.add(name);
  }
  const producers = new Map<string, number>();
  nodes.forEach((node, index) => {
    for (const output of node.outputs) {
      if (output === "") continue;
      if (known.has(output) || producers.has(output)) {
        throw new EtlError(
          "format",
          `${file}: node "${node.name}" (${node.op}): makes "${output}", which exists already, a new name was needed`,
        );
      }
      if (output === "__proto__") {
        throw new EtlError(
          "format", // engines hand on values by name in plain objects, of which this one is no entry
          `${file}: node "${node.name}" (${node.op}): makes a value called "${output}", another name was needed`,
        );
      }
      producers.set(output, index);
    }
  });
  for (const node of nodes) {
    const dangling = node.inputs.find((name) => name !== "" && !known.has(name) && !producers.has(name));
    if (dangling !== undefined) {
      throw new EtlError(
        "format",
        `${file}: node "${node.name}" (${node.op}): input "${dangling}" is made by nothing, a node, weight or input of that name was needed`,
      );
    }
  }
  const seen = new Set<string>();
  for (const { name } of outputs) {
    if (seen.has(name) || (!known.has(name) && !producers.has(name))) {
      const found = seen.has(name) ? "declared twice" : "made by nothing";
      throw new EtlError("format", `${file}: output "${name}": ${found}, one node that makes it was needed`);
    }
    seen.add(name);
  }
  return depthFirst(nodes, producers, file);
}

/** Depth first without recursion: graphs may be thousands of nodes deep. */
function depthFirst(nodes: readonly Node[], producers: ReadonlyMap<string, number>, file: string): Node[] {
  const state = new Uint8Array(nodes.length); // 0 new, 1 open, 2 done
  const sorted: Node[] = [];
  for (let root = 0; root < nodes.length; root++) {
    const stack: { index: number; next: number }[] = state[root] === 0 ? [{ index: root, next: 0 }] : [];
    state[root] ||= 1;
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const node = nodes[top.index];
      if (node === undefined) break;
      const input = node.inputs[top.next++];
      if (input === undefined) {
        state[top.index] = 2;
        sorted.push(node);
        stack.pop();
        continue;
      }
      const producer = producers.get(input);
      if (producer === undefined || state[producer] === 2) continue;
      if (state[producer] === 1) {
        throw new EtlError(
          "format",
          `${file}: node "${node.name}" (${node.op}): depends on its own output through "${input}", a graph without cycles was needed`,
        );
      }
      state[producer] = 1;
      stack.push({ index: producer, next: 0 });
    }
  }
  return sorted;
}
