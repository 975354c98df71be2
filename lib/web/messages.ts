/** What the page and its compute thread say to each other. */
import type { Line } from "./lines.ts";

/** To the thread. `base` is the address of the page; pixels are RGBA, uint8 [height, width, 4]. */
export type Question =
  | { readonly kind: "start"; readonly base: string }
  | {
      readonly kind: "look";
      readonly id: number;
      readonly width: number;
      readonly height: number;
      readonly pixels: ArrayBuffer;
    };

/** One face of a picture. Places are in pixels of the picture that was sent. */
export interface SeenFace {
  /** x0, y0, x1, y1 */
  readonly box: readonly number[];
  readonly score: number;
  readonly lines: readonly Line[];
  /** What each output gave: name -> numbers. */
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  /** x0, y0, x1, y1, ... of landmarks that the model predicts; empty where it predicts none. */
  readonly points: readonly number[];
  /** The aligned crop that the network saw: RGB, uint8 [side, side, 3]. */
  readonly crop: { readonly side: number; readonly pixels: Uint8Array };
}

/** From the thread. */
export type WorkerReply =
  | { readonly kind: "ready" }
  | {
      readonly kind: "seen";
      readonly id: number;
      readonly faces: readonly SeenFace[];
      /** Finding and aligning, and the network alone, of all faces together. */
      readonly findMs: number;
      readonly networkMs: number;
    }
  | { readonly kind: "failed"; readonly id?: number; readonly message: string };
