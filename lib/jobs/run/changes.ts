/** What training does to its pictures. */
import type { Augment } from "../../data/images/augment.ts";

/** Options that say how training pictures are changed. */
export interface ChangeOptions {
  /** Off: pictures are not changed at all, whatever the other options say. */
  readonly augment: boolean;
  readonly mirror: boolean;
  readonly shift: number;
  readonly zoom: number;
  readonly brightness: number;
}

/** Whether pictures may be mirrored where the labels allow it. */
export function mayMirror({ augment, mirror }: Pick<ChangeOptions, "augment" | "mirror">): boolean {
  return augment && mirror;
}

/** Changes that leave every label alone: shift (share of the side), zoom, brightness. */
export function changesOf({ augment, shift, zoom, brightness }: Omit<ChangeOptions, "mirror">): Augment {
  if (!augment) return {};
  return {
    ...(shift > 0 && { shift }),
    ...(zoom > 0 && { scale: zoom }),
    ...(brightness > 0 && { brightness }),
  };
}
