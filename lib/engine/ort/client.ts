/** The calling thread's end of the worker: requests out, promises back. */
import { Worker } from "node:worker_threads";
import { EtlError, messageOf } from "../../core/errors.ts";
import type { Method, Methods, Reply, Request } from "./messages.ts";

/** A running worker. Calls are answered in the order they are made. */
export interface Client {
  call<M extends Method>(
    method: M,
    payload: Methods[M]["takes"],
    transfer?: readonly ArrayBuffer[],
  ): Promise<Methods[M]["gives"]>;
  /** Ends the worker after the calls under way. Later calls are refused. */
  close(): Promise<void>;
}

/**
 * The worker runs `worker.js` when built. From the sources, Node 20 does not hand the TypeScript loader of the calling
 * thread to its workers: a line of JavaScript registers it first.
 */
function startThread(): Worker {
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL("./worker.js", import.meta.url));
  const loader = import.meta.resolve("tsx/esm/api");
  const source = new URL("./worker.ts", import.meta.url).href;
  const boot = `import { register } from ${JSON.stringify(loader)}; register(); await import(${JSON.stringify(source)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(boot)}`));
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Starts the worker. It keeps the process alive only while a call is under way. */
export function startClient(): Client {
  const worker = startThread();
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
    failAll(
      new EtlError(
        "engine",
        `ort: the compute thread failed (${messageOf(error)}), a running one was needed`,
        {
          cause: error,
        },
      ),
    );
  });
  worker.on("exit", (code) => {
    failAll(
      new EtlError("engine", `ort: the compute thread has ended (code ${code}), a running one was needed`),
    );
  });

  const call: Client["call"] = (method, payload, transfer = []) =>
    new Promise((resolve, reject) => {
      if (ended) {
        reject(ended);
        return;
      }
      const request: Request = { call: calls++, method, payload };
      waiting.set(request.call, { resolve: resolve as Waiting["resolve"], reject });
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
      ended ??= new EtlError("engine", "ort: the engine was disposed, an open engine was needed");
      await worker.terminate();
    },
  };
}
