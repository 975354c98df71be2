/** The rows of training, validation and test part. */
import { EtlError } from "../core/errors.ts";
import { rowsOf, type ImageStore } from "../data/store.ts";

/** Rows of the store by part. */
export interface PartRows {
  readonly train: Uint32Array;
  readonly val: Uint32Array;
  readonly test: Uint32Array;
}

/** Fewest pictures of each part without which nothing can be learned or measured. */
const fewest = { train: 20, val: 5, test: 5 } as const;

/** @throws EtlError `data` where a part has too few usable pictures */
export function partRows(store: ImageStore, hint: string): PartRows {
  const rows = allPartRows(store);
  for (const part of ["train", "val", "test"] as const) {
    if (rows[part].length >= fewest[part]) continue;
    throw new EtlError(
      "data",
      `${store.dataset.name}: ${rows[part].length} usable ${part} pictures, at least ${fewest[part]} were needed`,
      { hint },
    );
  }
  return rows;
}

/** However few they are. */
export function allPartRows(store: ImageStore): PartRows {
  return { train: rowsOf(store, "train"), val: rowsOf(store, "val"), test: rowsOf(store, "test") };
}
