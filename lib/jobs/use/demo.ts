/** `etl demo`: the page of a model, on a port of this machine, until it is stopped. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EtlError } from "../../core/errors.ts";
import { refuseUnknown, type OptionNames } from "../../core/options.ts";
import { exportPage, isPage, webOptionNames, type WebOptions } from "./web.ts";
import { serveFolder } from "./serve.ts";

export interface DemoOptions extends WebOptions {
  /** Port on 127.0.0.1. @defaultValue any free one */
  readonly port?: number | undefined;
  /** Ends it. Without one it is served until the program ends. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the address once it is served. */
  readonly onAddress?: ((address: string) => void) | undefined;
}

const optionNames: OptionNames<DemoOptions> = {
  ...webOptionNames,
  ...{ port: true, signal: true, onAddress: true },
};

/** What was shown. */
export interface Demo {
  readonly address: string;
  /** The model, as it was named. */
  readonly model: string;
}

/**
 * Serves the page of a model, or a folder that was exported as one, until `signal` is aborted.
 *
 * @param nameOrPath run folder, model file, backbone, or a folder of `etl export --format web`
 * @throws EtlError `usage` for a port out of range, `io` for one that is taken
 */
export async function demo(nameOrPath: string, options: DemoOptions = {}): Promise<Demo> {
  refuseUnknown("demo", options, optionNames);
  const { port = 0, signal, onAddress, ...web } = options;
  if (!(Number.isInteger(port) && port >= 0 && port < 65536))
    throw new EtlError("usage", `--port: ${port}, a whole number from 0 to 65535 was needed`);
  const isExported = existsSync(nameOrPath) && (await isPage(nameOrPath));
  const given = Object.entries(web).find(([, value]) => value !== undefined && value !== false);
  if (isExported && given !== undefined)
    throw new EtlError("usage", `--${given[0]}: ${nameOrPath} is a page already, a run was needed with it`, {
      hint: `leave --${given[0]} out, or name the run that it was made from`,
    });
  const folder = isExported ? nameOrPath : await mkdtemp(join(tmpdir(), "etl-demo-"));
  try {
    if (!isExported) await exportPage(nameOrPath, folder, web);
    const { address, close } = await serveFolder(folder, port);
    try {
      onAddress?.(address);
      await aborted(signal);
    } finally {
      await close();
    }
    return { address, model: nameOrPath };
  } finally {
    if (!isExported) await rm(folder, { recursive: true, force: true });
  }
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((done) => {
    if (signal?.aborted === true) done();
    else
      signal?.addEventListener(
        "abort",
        () => {
          done();
        },
        { once: true },
      );
  });
}
