/** The thread that computes the second half of a batch: sessions that fill arrays which come with a call and go back. */
import type { Tensors } from "../engine.ts";
import { buffersOf } from "../worker/messages.ts";
import { answerCalls } from "../worker/serve.ts";
import { createInPlaceSession, type InPlaceSession } from "./in-place.ts";
import { type SessionSettings, toOrt } from "./session.ts";

/** What the thread is asked to do. */
export interface HalfMethods {
  readonly compile: {
    readonly takes: { readonly model: Uint8Array; readonly settings: SessionSettings };
    readonly gives: { readonly id: number };
  };
  /** `feeds` and `into` are moved, and come back. */
  readonly run: {
    readonly takes: { readonly id: number } & HalfRun;
    readonly gives: HalfRun;
  };
  readonly close: { readonly takes: null; readonly gives: null };
}

/** What a run reads, and where it writes its outputs. */
export interface HalfRun {
  readonly feeds: Tensors;
  readonly into: Tensors;
}

const sessions: InPlaceSession[] = [];

answerCalls<HalfMethods>("ort", {
  compile: async ({ model, settings }) => {
    sessions.push(await createInPlaceSession(model, settings));
    return { result: { id: sessions.length - 1 } };
  },
  run: async ({ id, feeds, into }) => {
    await sessions[id].run(toOrt(feeds), toOrt(into));
    return { result: { feeds, into }, transfer: buffersOf({ ...feeds, ...into }) };
  },
  close: async () => {
    for (const session of sessions.splice(0)) await session.release();
    return { result: null };
  },
});
