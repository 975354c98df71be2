/** A home and a working folder for the blocks of one page, with what the page takes for granted. */
import { spawn } from "node:child_process";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, type Page } from "../markdown.ts";
import type { Runnable } from "./blocks.ts";
import { folderNames, writeFolder } from "./folders.ts";
import { bindPackage, transpile, type Program } from "./program.ts";

export interface Place {
  readonly program: Program;
  /** `~` and `/data` of the page. */
  readonly home: string;
  /** Where its blocks run. */
  readonly work: string;
}

const photograph = createRequire(import.meta.url).resolve("@vladmandic/face-api/demo/sample2.jpg");

/** Files that pages take for granted. */
const files: Readonly<Record<string, (program: Program) => string>> = {
  "photo.jpg": () => photograph,
  "a.jpg": () => photograph,
  "model.onnx": ({ backbone }) => backbone,
  "model.h5": () => join(root, "fixtures/keras/model.h5"),
};

/** Runs that pages take for granted, made by these calls. */
const runs: Readonly<Record<string, readonly string[]>> = {
  "docs/sweeps.md": ["etl prune --gamma 0.1 --task gender --data ~/celeba --out runs/gender"],
  "docs/troubleshooting.md": ["etl finetune --gamma 0.1 --task gender --data ~/faces --out runs/gender"],
  "docs/web.md": ["etl prune --gamma 0.1 --task gender --data ~/faces --out runs/gender"],
  "docs/library.md": ["a", "b"].map(
    (name) => `etl prune --gamma 0.1 --task gender --data ~/celeba --out runs/${name}`,
  ),
};

/** Writes the folders and files that a page names, and makes the runs it starts from. */
export async function preparePlace(program: Program, folder: string, page: Page): Promise<Place> {
  const place = { program, home: join(folder, "home"), work: join(folder, "work") };
  await mkdir(place.home, { recursive: true });
  await mkdir(place.work);
  await bindPackage(program, place.work);
  const calls = runs[page.path] ?? [];
  const text = [...calls, ...page.blocks.map((block) => block.text)].join("\n");
  for (const name of folderNames) {
    // What a page aligns into is made by its own call.
    const made = new RegExp(`align \\S+ ~/${name}(?![\\w-])|alignFolder\\("[^"]+", "/data/${name}"`).test(
      text,
    );
    if (!made && new RegExp(`(?:~|/data)/${name}(?![\\w-])`).test(text))
      await writeFolder(place.home, name, !/\bprune\b/.test(text));
  }
  for (const [name, source] of Object.entries(files)) {
    if (new RegExp(`["\\s]${name}\\b`).test(text)) await copyFile(source(program), join(place.work, name));
  }
  for (const call of calls) await runText("sh", ["-ec", call], place);
  return place;
}

/** Runs a block to its end. @throws with what it printed, where it fails */
export async function runBlock(block: Runnable, place: Place): Promise<string> {
  if (block.kind === "shell") return runText("sh", ["-ec", block.text], place);
  const name = `block-${block.line}`;
  const text = block.text.replaceAll('"/data/', `"${place.home}/`);
  await writeFile(join(place.work, `${name}.mjs`), transpile(text, `${name}.ts`));
  const declared = pathToFileURL(join(place.program.folder, "dist/test/docs/run/declared.js")).href;
  return runText("node", ["--import", declared, `${name}.mjs`], place);
}

function runText(command: string, args: readonly string[], place: Place): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      cwd: place.work,
      env: { ...process.env, ...place.program.env, HOME: place.home, ETL_CACHE: join(place.home, ".cache") },
    });
    const parts: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (part: string) => void parts.push(part));
    child.on("error", fail);
    child.on("close", (code) => {
      const said = parts.join("");
      if (code === 0) done(said);
      else fail(new Error(`exit code ${code}\n${said.slice(-3000)}`));
    });
  });
}
