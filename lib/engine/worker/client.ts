/** The calling thread's end of a worker: requests out, promises back. */
import { EtlError, messageOf } from "../../core/errors.ts";
import { startThread } from "../../core/worker.ts";
import type { MethodTable, Reply, Request } from "./messages.ts";

/** A running worker with the methods `T`. Calls are answered in the order they are made. */
export interface Client<T extends MethodTable<T>> {
  call<M extends keyof T & string>(
    method: M,
    payload: T[M]["takes"],
    transfer?: readonly ArrayBuffer[],
  ): Promise<T[M]["gives"]>;
  /** Ends the worker after the calls under way. Later calls are refused. */
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Starts a worker. It keeps the process alive only while a call is under way.
 *
 * @param engine name of the engine, for messages
 */
export function startClient<T extends MethodTable<T>>(engine: string, script: URL): Client<T> {
  const worker = startThread(script);
  worker.unref();
  const waiting = new Map<number, Waiting>();
  let calls = 0;
  let ended: Error | undefined;

  const settle = (call: number): Waiting | undefined => {
    const entry = waiting.get(call);
    waiting.delete(call);
    if (waiting.size === 0) worker.unref();
    return entry;
  };
  const failAll = (error: Error): void => {
    ended ??= error;
    for (const call of [...waiting.keys()]) settle(call)?.reject(error);
  };
  worker.on("message", (reply: Reply) => {
    const entry = settle(reply.call);
    if ("failure" in reply) {
      const { kind, message, hint, stack } = reply.failure;
      entry?.reject(new EtlError(kind, message, { hint, cause: stack }));
    } else entry?.resolve(reply.result);
  });
  worker.on("error", (error) => {
    const found = `${engine}: the compute thread failed (${messageOf(error)})`;
    failAll(new EtlError("engine", `${found}, a running one was needed`, { cause: error }));
  });
  worker.on("exit", (code) => {
    const found = `${engine}: the compute thread has ended (code ${code})`;
    failAll(new EtlError("engine", `${found}, a running one was needed`));
  });

  const call: Client<T>["call"] = (method, payload, transfer = []) =>
    new Promise((resolve, reject) => {
      if (ended) {
        reject(ended);
        return;
      }
      const request: Request = { call: calls++, method, payload };
      waiting.set(request.call, { resolve: resolve, reject });
      worker.ref();
      try {
        worker.postMessage(request, [...transfer]);
      } catch (error) {
        settle(request.call);
        reject(error instanceof Error ? error : new Error(messageOf(error)));
      }
    });

  return {
    call,
    close: async () => {
      if (ended) return;
      await call("close", null).catch(() => undefined);
      ended ??= new EtlError("engine", `${engine}: the engine was disposed, an open engine was needed`);
      await worker.terminate();
    },
  };
}
