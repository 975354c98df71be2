/** Names of networks, apart from the networks, so that a help text does not load them. */

/** Those that `etl train` can build, in the order of `etl backbones`; `test/backbones/catalogue.test.ts` holds that they are all. */
export const trainableNames = [
  ...["resnet18", "resnet50", "mobilenet-v1", "mobilenet-v1-0.75", "mobilenet-v1-0.5", "mobilenet-v1-0.25"],
  ...["mobilenet-v2", "shufflenet-v2", "efficientnet-b0", "resnet18-mlp", "lmtcnn-1-1", "lmtcnn-2-1"],
  ...["levi-hassner", "dmm-cnn"],
] as const;
