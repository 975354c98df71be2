/**
 * Arrays that are used again. Fresh memory costs more than what is written into it: the system hands it out page by
 * page, on the thread that touches it first. An array taken from a recycler travels to a compute thread and back again
 * (moved, never copied), and then serves the next batch.
 */
export interface Recycler {
  /** An array of `length` numbers with anything in it. Give it back, or forget it. */
  readonly take: (length: number) => Float32Array<ArrayBuffer>;
  /** Whether an array is out of this recycler's hands, so that whoever moves it away owes it back. */
  readonly lent: (array: Float32Array) => boolean;
  /** Takes back an array that nobody reads any more. The oldest make room for it. */
  readonly giveBack: (array: Float32Array<ArrayBuffer>) => void;
}

/**
 * A recycler that keeps at most `kept` arrays waiting: more would only hold memory, since a few batches are read ahead and
 * one is computed. Arrays of less than `smallest` numbers are new each time and nobody owes them back.
 */
export function createRecycler({ kept = 8, smallest = 1 << 14 } = {}): Recycler {
  const waiting: Float32Array<ArrayBuffer>[] = [];
  const out = new WeakSet<ArrayBufferLike>();
  return {
    take: (length) => {
      if (length < smallest) return new Float32Array(length);
      const at = waiting.findIndex((array) => array.length === length);
      const array = at < 0 ? new Float32Array(length) : waiting.splice(at, 1)[0];
      out.add(array.buffer);
      return array;
    },
    lent: ({ buffer }) => out.has(buffer),
    giveBack: (array) => {
      out.delete(array.buffer);
      waiting.push(array);
      if (waiting.length > kept) waiting.shift();
    },
  };
}
