/** `etl verify`: whether a backbone sees faces. */
import { refuseUnknown, type OptionNames } from "../../core/options.ts";
import type { Crop } from "../../core/artifacts.ts";
import { silent } from "../../core/progress.ts";
import { prepareImages } from "../../data/images/store.ts";
import { openPairs } from "../../data/pairs.ts";
import { serviceNames, withEngine, type ServiceOptions } from "../../engine/service.ts";
import { verify, type Verification } from "../../evaluate/verify.ts";
import { openModel } from "../run/model.ts";
import { collect, defined } from "./rows.ts";

export interface VerifyModelOptions extends ServiceOptions {
  readonly crop?: Crop | undefined;
  readonly distance?: "cosine" | "euclidean" | undefined;
  readonly cacheDir?: string | undefined;
  readonly seed?: number | undefined;
}

const optionNames: OptionNames<VerifyModelOptions> = {
  ...serviceNames,
  ...{ crop: true, distance: true, cacheDir: true, seed: true },
};

/** A verification, with the face box used and how many pairs could not be. */
export interface VerifiedModel extends Verification {
  readonly crop: Crop;
  readonly problems: number;
}

/** Verification accuracy of a backbone on pairs of pictures: shows a wrong crop, colour order or mean. */
export async function verifyModel(
  nameOrPath: string,
  pairsFile: string,
  options: VerifyModelOptions = {},
): Promise<VerifiedModel> {
  refuseUnknown("verifyModel", options, optionNames);
  const model = await openModel(nameOrPath);
  const progress = options.progress ?? silent;
  const { pairs, problems, dataset } = await openPairs(pairsFile, defined({ crop: options.crop }));
  for (const assumption of dataset.assumptions) progress.note(assumption);
  if (problems.length > 0) {
    const { file, problem } = problems[0];
    progress.warn(
      `pairs: ${problems.length} of ${problems.length + pairs.length} left out (the first: ${file}: ${problem})`,
    );
  }
  const store = await prepareImages(dataset, model.preprocessing, {
    progress,
    signal: options.signal,
    ...defined({ cacheDir: options.cacheDir, threads: options.threads }),
  });
  try {
    const rows = Uint32Array.from(store.items.keys());
    const output = model.embedding ?? model.network.outputs[0].name;
    const described = await withEngine(options, (engine) =>
      collect(engine, model, { store, rows, options, output }),
    );
    const rowOf = new Map(store.items.map((item, row) => [item.file, row]));
    const usable = pairs.flatMap(({ file1, file2, same }) => {
      const [first, second] = [rowOf.get(file1), rowOf.get(file2)];
      return first === undefined || second === undefined ? [] : [{ first, second, same }];
    });
    const width = described.length / rows.length;
    const result = verify(
      { width, data: described },
      usable,
      defined({ distance: options.distance, seed: options.seed }),
    );
    return { ...result, crop: dataset.crop, problems: problems.length + pairs.length - usable.length };
  } finally {
    await store.close();
  }
}
