import { EtlError, nearest } from "../../core/errors.ts";
import type { CoupledLayer, Coupling } from "./types.ts";

/**
 * What a layer's output channels are tied to, and why: one line for each partner and run of channels.
 *
 * @param coupling what the analysis found
 * @param layerName name of a Conv, ConvTranspose, Gemm or MatMul node
 */
export function explain(coupling: Coupling, layerName: string): string[] {
  const layer = coupling.layers.find(({ name }) => name === layerName);
  if (!layer) {
    const names = coupling.layers.map(({ name }) => name);
    const near = nearest(layerName, names);
    throw new EtlError(
      "usage",
      `explain: no layer is called "${layerName}", the name of a layer was needed`,
      {
        hint: near === undefined ? `layers: ${names.join(", ")}` : `did you mean ${near}?`,
      },
    );
  }
  const lines = [
    `${layer.name} (${layer.op}): ${layer.inputs.length} inputs, ${layer.outputs.length} outputs`,
  ];
  const path = pathFinder(coupling);
  for (const other of coupling.layers) lines.push(...partnerLines(coupling, layer, other, path));
  lines.push(...readerLines(coupling, layer));
  for (const { from, to, text } of runs(layer.outputs, (atom) =>
    coupling.frozen.get(coupling.classOf[atom]),
  )) {
    lines.push(`output ${span(from, to)} must stay: ${text}`);
  }
  if (lines.length === 1) lines.push("its output channels are tied to no other layer");
  return lines;
}

function partnerLines(
  coupling: Coupling,
  layer: CoupledLayer,
  other: CoupledLayer,
  path: (a: number, b: number) => string,
): string[] {
  const partners = new Map<number, number[]>();
  for (const atom of other.outputs) {
    const id = coupling.classOf[atom];
    const list = partners.get(id);
    if (list) list.push(atom);
    else partners.set(id, [atom]);
  }
  const why = (atom: number): string | undefined => {
    const list = partners.get(coupling.classOf[atom]) ?? [];
    const partner = other === layer ? list.find((one) => one !== atom) : list[0];
    return partner === undefined ? undefined : path(atom, partner);
  };
  return runs(layer.outputs, why).map(({ from, to, text }) =>
    other === layer
      ? `output ${span(from, to)} are tied to each other by ${text}`
      : `output ${span(from, to)} are tied to ${other.name} by ${text}`,
  );
}

/** Layers whose inputs are cut along with these channels. */
function readerLines(coupling: Coupling, layer: CoupledLayer): string[] {
  const own = new Set(Array.from(layer.outputs, (atom) => coupling.classOf[atom]));
  const readers = coupling.layers.filter(({ inputs }) =>
    inputs.some((atom) => own.has(coupling.classOf[atom])),
  );
  return readers.length === 0 ? [] : [`inputs cut along: ${readers.map(({ name }) => name).join(", ")}`];
}

function span(from: number, to: number): string {
  return from === to ? `channel ${from}` : `channels ${from}-${to}`;
}

/** Runs of neighbouring channels with the same text; channels without a text are left out. */
function runs(
  atoms: Int32Array,
  textOf: (atom: number) => string | undefined,
): { readonly from: number; readonly to: number; readonly text: string }[] {
  const found: { from: number; to: number; text: string }[] = [];
  for (const [i, atom] of atoms.entries()) {
    const text = textOf(atom);
    if (text === undefined) continue;
    const last = found.at(-1);
    if (last?.to === i - 1 && last.text === text) last.to = i;
    else found.push({ from: i, to: i, text });
  }
  return found;
}

/** The nodes along the only path of ties between two atoms of a class. */
function pathFinder(coupling: Coupling): (a: number, b: number) => string {
  const neighbours = new Map<number, { readonly to: number; readonly why: number }[]>();
  const link = (from: number, to: number, why: number): void => {
    const list = neighbours.get(from);
    if (list) list.push({ to, why });
    else neighbours.set(from, [{ to, why }]);
  };
  for (const { a, b, why } of coupling.ties) {
    link(a, b, why);
    link(b, a, why);
  }
  return (a, b) => {
    const cameBy = new Map<number, { readonly from: number; readonly why: number } | undefined>([
      [a, undefined],
    ]);
    const queue = [a];
    for (let i = 0; i < queue.length && !cameBy.has(b); i++) {
      for (const { to, why } of neighbours.get(queue[i]) ?? []) {
        if (cameBy.has(to)) continue;
        cameBy.set(to, { from: queue[i], why });
        queue.push(to);
      }
    }
    const reasons: string[] = [];
    for (let step = cameBy.get(b); step; step = cameBy.get(step.from)) {
      const reason = coupling.reasons[step.why];
      if (!reasons.includes(reason)) reasons.unshift(reason);
    }
    if (reasons.length === 0) return "the same channels";
    const shown = reasons.length > 4 ? [...reasons.slice(0, 3), `${reasons.length - 3} more`] : reasons;
    return shown.join(", ");
  };
}
