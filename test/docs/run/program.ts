/** The program as it is published, built into a folder of its own, and the names that the documentation calls it by. */
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { describe as withFacts } from "../../../lib/backbones/metadata.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { createBuilder } from "../../../lib/network/builder.ts";
import { root } from "../markdown.ts";

export interface Program {
  /** The package: dist/, node_modules/, package.json. */
  readonly folder: string;
  /** Variables under which `etl` and `npx` are found. */
  readonly env: Readonly<Record<string, string>>;
  /** A small model file, with what a backbone must say about itself. */
  readonly backbone: string;
}

const compilerOptions: ts.CompilerOptions = {
  ...ts.convertCompilerOptionsFromJson(
    (
      ts.readConfigFile(join(root, "tsconfig.json"), (path) => ts.sys.readFile(path)).config as {
        compilerOptions: object;
      }
    ).compilerOptions,
    root,
  ).options,
  noEmit: false,
  module: ts.ModuleKind.ESNext,
};

/** TypeScript to JavaScript, file by file, as tsc does it. */
export function transpile(text: string, fileName: string): string {
  return ts.transpileModule(text, { compilerOptions, fileName }).outputText;
}

/** Builds the program into `folder`. */
export async function buildProgram(folder: string): Promise<Program> {
  for (const part of ["lib", "bin", "test/docs/run"]) {
    for (const name of await readdir(join(root, part), { recursive: true })) {
      if (!name.endsWith(".ts") || name.endsWith(".d.ts")) continue;
      const from = join(root, part, name);
      const to = join(folder, "dist", part, name.replace(/\.ts$/, ".js"));
      await mkdir(dirname(to), { recursive: true });
      await writeFile(to, transpile(await readFile(from, "utf8"), from));
    }
  }
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  for (const name of ["package.json", "LICENSE"])
    await writeFile(join(folder, name), await readFile(join(root, name)));
  const bin = join(folder, "bin");
  await mkdir(bin);
  const script = async (name: string, text: string): Promise<void> => {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, name), 0o755);
  };
  await script("etl", `exec node ${JSON.stringify(join(folder, "dist/test/docs/run/etl.js"))} "$@"`);
  await script("npx", 'test "$1" = etl || { echo "npx $1: only etl is bound here" >&2; exit 1; }\nexec "$@"');
  const backbone = join(folder, "small.onnx");
  await writeFile(backbone, writeOnnx(smallBackbone()));
  const path = `${bin}:${process.env["PATH"] ?? ""}`;
  return { folder, backbone, env: { PATH: path, ETL_DOCS_BACKBONE: backbone } };
}

/** Lets modules in `folder` import "etl-prune": the package's surface, its runs made small. */
export async function bindPackage(program: Program, folder: string): Promise<void> {
  const target = join(folder, "node_modules/etl-prune");
  await mkdir(target, { recursive: true });
  const library = relative(target, join(program.folder, "dist/test/docs/run/library.js"));
  await writeFile(join(target, "index.js"), `export * from ${JSON.stringify(library)};\n`);
  await writeFile(
    join(target, "package.json"),
    JSON.stringify({ name: "etl-prune", type: "module", exports: "./index.js" }),
  );
}

/** Four convolutions, two of them tied by an addition, on pictures of 150x150 as face-resnet takes them. */
function smallBackbone() {
  const random = createRandom(11);
  const weights = (...shape: number[]) => {
    const fan = shape.slice(1).reduce((a, b) => a * b, 1);
    const data = Array.from({ length: shape[0] * fan }, () => Math.sqrt(2 / fan) * random.normal());
    return { shape, data: Float32Array.from(data) };
  };
  const net = createBuilder("small");
  const image = net.input("image", ["batch", 3, 150, 150]);
  const bias = (length: number) => new Float32Array(length);
  const a = net.relu(net.conv(image, { weights: weights(12, 3, 3, 3), bias: bias(12), strides: 4, pads: 1 }));
  const b = net.relu(net.conv(a, { weights: weights(16, 12, 3, 3), bias: bias(16), strides: 2, pads: 1 }));
  const c = net.relu(net.conv(b, { weights: weights(16, 16, 3, 3), bias: bias(16), pads: 1 }));
  const d = net.conv(c, { weights: weights(16, 16, 3, 3), bias: bias(16), pads: 1 });
  const sum = net.relu(net.add(b, d));
  const features = net.flatten(net.globalAveragePool(sum));
  return withFacts(net.build([features]), {
    preprocessing: {
      width: 150,
      height: 150,
      color: "RGB",
      mean: [128, 128, 128],
      scale: [1 / 64, 1 / 64, 1 / 64],
    },
    features,
    embedding: features,
    licence: "that of this project",
  });
}
