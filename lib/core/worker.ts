/** Threads, from built scripts and from the sources alike. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

/**
 * Starts a thread on a module of this program. Built, that is a script. From the sources, Node 20 does not hand the
 * TypeScript loader of the calling thread to its workers: a line of JavaScript registers it first.
 */
export function startThread(script: URL): Worker {
  if (!script.href.endsWith(".ts")) return new Worker(script);
  const required = createRequire(import.meta.url).resolve("tsx/esm/api");
  const loader = pathToFileURL(required.replace(/\.cjs$/, ".mjs")).href;
  const boot = `import { register } from ${JSON.stringify(loader)}; register(); await import(${JSON.stringify(script.href)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(boot)}`));
}

/** Address of `name` beside a module, with the module's own ending: `.ts` from the sources, `.js` when built. */
export function scriptBeside(module: string, name: string): URL {
  return new URL(`./${name}.${module.endsWith(".ts") ? "ts" : "js"}`, module);
}
