import { buildDmmCnn } from "../../lib/backbones/nets/dmm-cnn.ts";
import { buildEfficientnetB0 } from "../../lib/backbones/nets/efficientnet.ts";
import { buildLeviHassner } from "../../lib/backbones/nets/levi-hassner.ts";
import { buildLmtcnn } from "../../lib/backbones/nets/lmtcnn.ts";
import { buildMobilenetV1 } from "../../lib/backbones/nets/mobilenet-v1.ts";
import { buildMobilenetV2 } from "../../lib/backbones/nets/mobilenet-v2.ts";
import { buildResnet18Mlp } from "../../lib/backbones/nets/resnet.ts";
import { buildShufflenetV2 } from "../../lib/backbones/nets/shufflenet-v2.ts";
import type { Network } from "../../lib/network/network.ts";

/** The light networks: as published, and with ten classes on small pictures. */
export const lightBuilds: Readonly<
  Record<string, readonly [full: () => Network, small: (side: number) => Network]>
> = {
  "mobilenet-v1": [() => buildMobilenetV1(), (side) => buildMobilenetV1({ classes: 10, side })],
  "mobilenet-v1-0.5": [
    () => buildMobilenetV1({ width: 0.5 }),
    (side) => buildMobilenetV1({ classes: 10, side, width: 0.5 }),
  ],
  "mobilenet-v2": [() => buildMobilenetV2(), (side) => buildMobilenetV2({ classes: 10, side })],
  "shufflenet-v2": [() => buildShufflenetV2(), (side) => buildShufflenetV2({ classes: 10, side })],
  "efficientnet-b0": [() => buildEfficientnetB0(), (side) => buildEfficientnetB0({ classes: 10, side })],
  "resnet18-mlp": [() => buildResnet18Mlp(), (side) => buildResnet18Mlp({ side })],
  "lmtcnn-1-1": [() => buildLmtcnn(), (side) => buildLmtcnn({ side })],
  "lmtcnn-2-1": [() => buildLmtcnn({ widths: [2, 1] }), (side) => buildLmtcnn({ side, widths: [2, 1] })],
  "levi-hassner": [() => buildLeviHassner(), (side) => buildLeviHassner({ side })],
  "dmm-cnn": [() => buildDmmCnn(), (side) => buildDmmCnn({ side, depth: 18, points: 5 })],
};
