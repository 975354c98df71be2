/**
 * ONNX files. Reading: opset 7 to the newest, brought to opset 17 or later. Writing: what onnxruntime, Netron and the
 * ONNX checker accept. A network that is written and read again is the same network.
 */
export { readOnnx, type ReadOnnxOptions } from "./onnx-read.ts";
export { writeOnnx } from "./onnx-write.ts";
