/** The thread that reads one HDF5 file. */
import { parentPort } from "node:worker_threads";
import { isEtlError, messageOf, type ErrorKind } from "../../core/errors.ts";
import { speak } from "../../core/voice.ts";
import { parseKerasFile, type KerasFile } from "./parse.ts";

/** What the thread is asked: a file, or the bytes of one that lies inside `path`. */
export interface KerasQuestion {
  readonly path: string;
  readonly bytes?: Uint8Array;
}

/** What the thread answers. */
export type KerasReply =
  | { readonly file: KerasFile }
  | {
      readonly failure: {
        readonly kind: ErrorKind;
        readonly message: string;
        readonly hint: string | undefined;
      };
    };

async function answer({ path, bytes }: KerasQuestion): Promise<void> {
  try {
    const file = await parseKerasFile(path, bytes);
    const buffers = file.layers.flatMap(({ weights }) => [...weights.values()].map(({ data }) => data));
    const own = buffers.filter(({ buffer, byteLength }) => buffer.byteLength === byteLength);
    const transfer = [...new Set(own.map(({ buffer }) => buffer as ArrayBuffer))];
    parentPort?.postMessage({ file } satisfies KerasReply, transfer);
  } catch (error) {
    const kind = isEtlError(error) ? error.kind : "format";
    const hint = isEtlError(error) ? error.hint : undefined;
    const reply: KerasReply = { failure: { kind, message: messageOf(error), hint } };
    parentPort?.postMessage(reply);
  }
}

speak("flags"); // the thread that asked says it in its caller's words
parentPort?.once("message", (question: KerasQuestion) => void answer(question));
