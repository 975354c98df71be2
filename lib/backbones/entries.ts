/** The networks that have a name: one file of `nets/` each. `--backbone` takes them everywhere. */
import type { NetEntry } from "./entry.ts";
import { dmmCnnNet } from "./nets/dmm-cnn.ts";
import { efficientnetB0Net } from "./nets/efficientnet.ts";
import { faceResnetNet } from "./nets/face-resnet.ts";
import { leviHassnerNet } from "./nets/levi-hassner.ts";
import { lmtcnnNets } from "./nets/lmtcnn.ts";
import { mobilenetV1Nets } from "./nets/mobilenet-v1.ts";
import { mobilenetV2Net } from "./nets/mobilenet-v2.ts";
import { resnet18MlpNet, resnet18Net, resnet50Net } from "./nets/resnet.ts";
import { shufflenetV2Net } from "./nets/shufflenet-v2.ts";
import { vggfaceNet } from "./nets/vggface.ts";

/** In the order of `etl backbones`; the default comes first. */
export const nets: readonly NetEntry[] = [
  faceResnetNet,
  vggfaceNet,
  resnet18Net,
  resnet50Net,
  ...mobilenetV1Nets,
  mobilenetV2Net,
  shufflenetV2Net,
  efficientnetB0Net,
  resnet18MlpNet,
  ...lmtcnnNets,
  leviHassnerNet,
  dmmCnnNet,
];

/** Those that `etl train` can build. */
export const trainableNets = nets.flatMap(({ training, ...net }) =>
  training === undefined ? [] : [{ ...net, training }],
);
