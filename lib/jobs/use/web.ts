/** `etl export --format web`: a folder that is a page, with the model and all that it needs to find faces and to answer. */
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { faceApiManifest, faceModels } from "../../backbones/nets/face-api-files.ts";
import { describe } from "../../backbones/metadata.ts";
import { EtlError } from "../../core/errors.ts";
import { readBeside, readBytes, readJson, readText, removeAbandoned } from "../../core/files.ts";
import { writeSpare } from "../../core/spare.ts";
import { refuseUnknown, type OptionNames } from "../../core/options.ts";
import { packageFolder } from "../../core/version.ts";
import { SYNTHETIC_NAME } from "../../data/synthetic/table.ts";
import { parseTfjsManifest } from "../../formats/tfjs/manifest.ts";
import { webFiles, precisions, type Precision } from "../../formats/web/layout.ts";
import { isWebModel } from "../../formats/web/read.ts";
import { writeWebModel } from "../../formats/web/write.ts";
import { costOf } from "../../network/cost.ts";
import type { SaidSizes } from "../../network/fit.ts";
import { formatBytes } from "../../report/format.ts";
import { pageHtml, pageIcon, pageMark, pageStyle, type PageFacts } from "../../web/document.ts";
import { places } from "../../web/places.ts";
import { refuseFileName } from "../run/foreign.ts";
import { openModel, provenanceOf, type Model } from "../run/model.ts";
import { pageModules, pageRuntime } from "./modules.ts";
import { stripped } from "./strip.ts";

export interface WebOptions {
  /** How the model's weights are stored. @defaultValue "float16" */
  readonly precision?: Precision | undefined;
  /** Leave out who made the model from which data, when and with what options. @defaultValue false */
  readonly strip?: boolean | undefined;
  /** Height and width of pictures, where the file leaves them open. */
  readonly size?: SaidSizes["size"];
  /** Numbers for open dimensions, by the names that the file gives them. */
  readonly bind?: SaidSizes["bind"];
  /** Write over another page that is there (the command line asks for `--replace`). @defaultValue true */
  readonly replace?: boolean | undefined;
}

export const webOptionNames: OptionNames<WebOptions> = {
  ...{ precision: true, strip: true, size: true, bind: true, replace: true },
};

/** What was written. */
export interface WrittenPage {
  readonly format: "web";
  /** The page: `index.html`. */
  readonly file: string;
  readonly files: readonly string[];
  /** Bytes of all files together. */
  readonly bytes: number;
  /** Bytes of each part. */
  readonly parts: {
    readonly model: number;
    readonly faces: number;
    readonly runtime: number;
    readonly page: number;
  };
  readonly precision: Precision;
}

/**
 * Writes the page.
 *
 * @param nameOrPath run folder, model file or backbone
 * @param folder a new or empty folder, or one that was written so before
 * @throws EtlError `usage` for a folder that holds something else, `engine` where TensorFlow.js is not installed
 */
export async function exportPage(
  nameOrPath: string,
  folder: string,
  options: WebOptions = {},
): Promise<WrittenPage> {
  refuseUnknown("exportPage", options, webOptionNames);
  const { precision = "float16", strip = false, size, bind, replace = true } = options;
  if (!precisions.includes(precision))
    throw new EtlError("usage", `--precision: ${precision}, one of ${precisions.join(", ")} was needed`);
  await needPlace(folder);
  const model = await openModel(nameOrPath, { size, bind });
  const { preprocessing } = model;
  const network = describe(strip ? stripped(model.network) : model.network, { preprocessing });
  const parts = {
    model: writeWebModel(network, precision),
    faces: await faceFiles(),
    runtime: await pageRuntime(),
  };
  const texts = new Map([
    ...(await pageModules(["web/page", "web/worker"])),
    ["style.css", pageStyle],
    ["icon.svg", pageIcon],
    ["LICENSES.txt", await licences()],
    ["index.html", pageHtml(factsOf(model, nameOrPath, { precision, sizes: sizesOf(parts) }))],
  ]);
  const page = new Map([...texts].map(([name, text]) => [name, new TextEncoder().encode(text)] as const));
  const all = new Map([...parts.model, ...parts.faces, ...parts.runtime, ...page]);
  await writeSpare(new Map([...all].map(([name, bytes]) => [join(folder, name), bytes])), { replace });
  const sizes = sizesOf({ ...parts, page });
  return {
    format: "web",
    file: join(folder, "index.html"),
    files: [...all.keys()].map((name) => join(folder, name)),
    bytes: Object.values(sizes).reduce((a, b) => a + b),
    parts: sizes,
    precision,
  };
}

/** Whether a folder was written by {@link exportPage}. */
export async function isPage(folder: string): Promise<boolean> {
  const [page, model] = ["index.html", webFiles.graph].map((name) => join(folder, name));
  return existsSync(page) && existsSync(model) && isWebModel(await readJson(model).catch(() => undefined));
}

async function needPlace(folder: string): Promise<void> {
  refuseFileName(folder);
  if (!existsSync(folder) || (await isPage(folder))) return;
  const isFolder = (await stat(folder)).isDirectory();
  const names = isFolder ? await filesBelow(folder) : [];
  // A page whose writing was stopped half way: it has its mark, and lacks the file that is written last.
  const page = await readText(join(folder, "index.html")).catch(() => "");
  const isUnfinished = page.includes(pageMark) && !names.includes(webFiles.graph);
  if (isFolder && (names.length === 0 || isUnfinished)) return;
  const found = isFolder ? `holds ${names[0]}` : "a file";
  throw new EtlError("usage", `${folder}: ${found}, a new or empty folder was needed`, {
    hint: "choose another --out",
  });
}

/** Files in a folder and those below it, without what killed writes have left. */
async function filesBelow(folder: string): Promise<string[]> {
  await removeAbandoned(folder);
  const entries = await readdir(folder, { withFileTypes: true });
  const below = entries.map(async (entry) =>
    entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [entry.name],
  );
  return (await Promise.all(below)).flat();
}

type Files = ReadonlyMap<string, Uint8Array>;

function sizesOf<Name extends string>(parts: Readonly<Record<Name, Files>>): Record<Name, number> {
  const entries = Object.entries<Files>(parts).map(([name, files]) => [
    name,
    [...files.values()].reduce((sum, { length }) => sum + length, 0),
  ]);
  return Object.fromEntries(entries) as Record<Name, number>;
}

/** Detector and landmark network, as the installed package holds them. */
async function faceFiles(): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const [part, name] of Object.entries(faceModels)) {
    const manifest = faceApiManifest(name);
    const place = places[part as keyof typeof faceModels];
    files.set(place, await readBytes(manifest));
    for (const path of parseTfjsManifest(await readJson(manifest), manifest).flatMap(({ paths }) => paths))
      files.set(`${dirname(place)}/${path}`, readBeside(manifest, path));
  }
  return files;
}

/** What the page says of its model. */
function factsOf(
  model: Model,
  named: string,
  { precision, sizes }: { readonly precision: Precision; readonly sizes: Record<string, number> },
): PageFacts {
  const { macs } = costOf(model.network, { onUnknown: "skip" }).total;
  const tasks = model.tasks.map(({ task }) => task.name).join(", ");
  return {
    title: tasks === "" ? model.name : `${tasks}: ${basename(resolve(named))}`,
    facts: [
      `Model: ${formatBytes(sizes["model"])} (weights as ${precision}), ${(macs / 1e6).toFixed(1)} million multiplications for a face.`,
      `Detector and landmarks: ${formatBytes(sizes["faces"])}. TensorFlow.js on WebAssembly: ${formatBytes(sizes["runtime"])}.`,
    ],
    warning:
      provenanceOf(model.network)["dataset"] === SYNTHETIC_NAME
        ? "This network was trained on drawn faces: what it says of photographs means nothing"
        : undefined,
  };
}

/** Of this program, of the networks that find faces, and of TensorFlow.js. */
async function licences(): Promise<string> {
  const [own, faces] = await Promise.all([
    readText(join(packageFolder, "LICENSE")),
    readText(join(dirname(faceApiManifest(faceModels.detector)), "..", "LICENSE")),
  ]);
  return [
    "lib/, index.html, style.css (etl-prune) and runtime/ (TensorFlow.js, Copyright Google LLC) are under the Apache License 2.0:",
    own.trim(),
    "faces/ (@vladmandic/face-api) is under this licence:",
    faces.trim(),
    "model.json and model.bin are yours; the terms of the data and of the backbone that they were made from go with them.\n",
  ].join("\n\n");
}
