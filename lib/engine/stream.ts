/** Streams of runs: several under way, results in order. */
import type { Tensor } from "../network/network.ts";
import type { Program, RunOptions, Tensors } from "./engine.ts";

/** A program that hands its runs to several programs in turns, so that they compute at the same time. */
export function sideBySide(programs: readonly Program[]): Program {
  let runs = 0;
  return {
    lanes: programs.reduce((sum, { lanes }) => sum + lanes, 0),
    run: (inputs, options) => programs[runs++ % programs.length].run(inputs, options),
    time: (inputs, options) => programs[0].time(inputs, options),
    dispose: () => disposeAll(programs),
  };
}

/** Programs with the same inputs as one: a run gives the outputs of all. */
export function together(programs: readonly Program[]): Program {
  return {
    lanes: Math.min(...programs.map(({ lanes }) => lanes)),
    run: async (inputs, { give = false } = {}) => {
      const last = programs.length - 1;
      const runs = programs.map((program, i) => program.run(inputs, { give: i === last && give }));
      return Object.assign({}, ...(await Promise.all(runs))) as Record<string, Tensor>;
    },
    time: async (inputs, options) => {
      const times = await Promise.all(programs.map((program) => program.time(inputs, options)));
      return times[0].map((_, run) => times.reduce((sum, each) => sum + each[run], 0));
    },
    dispose: () => disposeAll(programs),
  };
}

async function disposeAll(programs: readonly Program[]): Promise<void> {
  await Promise.all(programs.map((program) => program.dispose()));
}

/**
 * Runs a program on one item after the other. While a result is used, the next ones are computed and the items behind
 * them prepared: each lane of the program has a run under way and one waiting.
 *
 * @param inputsOf the inputs of an item; they are the engine's with `give`
 * @returns the items with their outputs, in order
 */
export async function* runStream<T>(
  program: Program,
  items: AsyncIterable<T> | Iterable<T>,
  inputsOf: (item: T) => Tensors,
  options: RunOptions = {},
): AsyncGenerator<{ readonly item: T; readonly outputs: Record<string, Tensor> }, void, undefined> {
  const underWay: { readonly item: T; readonly result: Promise<Record<string, Tensor>> }[] = [];
  try {
    for await (const item of items) {
      const result = program.run(inputsOf(item), options);
      result.catch(() => undefined); // reported when it is awaited
      underWay.push({ item, result });
      if (underWay.length < 2 * program.lanes) continue;
      const [first] = underWay.splice(0, 1);
      yield { item: first.item, outputs: await first.result };
    }
    for (const { item, result } of underWay) yield { item, outputs: await result };
  } finally {
    await Promise.allSettled(underWay.map(({ result }) => result));
  }
}
