/** Graphs inside nodes (If, Loop, Scan): they are handed on as they are; what they read from outside is followed. */
import { EtlError } from "../../core/errors.ts";
import { isOfOldForm } from "./opset.ts";
import type { RawGraph, RawNode } from "./proto.ts";

/** Names that the graphs inside a node read from outside, each once, in the order of reading. */
export function readOutside(node: RawNode): readonly string[] {
  return [...new Set(node.attributes.flatMap(({ graphs }) => graphs.flatMap(outsideOf)))];
}

function outsideOf(graph: RawGraph): string[] {
  const own = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.map(({ name }) => name),
    ...graph.sparse.map(({ values }) => values.name),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const read = [
    ...graph.nodes.flatMap((node) => [...node.inputs, ...readOutside(node)]),
    ...graph.outputs.map(({ name }) => name),
  ];
  return read.filter((name) => name !== "" && !own.has(name));
}

/**
 * Nodes outside are brought to a newer operator set; those inside stay as they are.
 *
 * @throws EtlError `unsupported` for a node inside that would mean something else there
 */
export function needSameMeaning(node: RawNode, opset: number, place: string): void {
  for (const { name, graphs } of node.attributes) {
    for (const inner of graphs.flatMap(({ nodes }) => nodes)) {
      needSameMeaning(inner, opset, place);
      if (inner.domain !== "" || !isOfOldForm(inner.op, opset)) continue;
      throw new EtlError(
        "unsupported",
        `${place}: ${inner.op} of operator set ${opset} in its "${name}", a form that exists in opset 17 was needed`,
        { hint: "export the model again with opset 17 or later" },
      );
    }
  }
}
