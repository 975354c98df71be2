/**
 * tfjs layers models. What is written opens with plain `tf.loadLayersModel` in a browser; what is written and read again
 * is the same network.
 */
export { readTfjs, readTfjsModel, type ReadTfjsOptions } from "./tfjs-read.ts";
export { tfjsOperators, writeTfjs } from "./tfjs-write.ts";
