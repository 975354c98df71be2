/** File formats that a model can be written in. Apart from the writers, so that a help text does not load them. */
const modelFormats = ["onnx", "tfjs"] as const;

export type ModelFormat = (typeof modelFormats)[number];

/** What `export` writes beside whole models: the weights alone, under PyTorch's names. */
export const exportFormats = [...modelFormats, "safetensors"] as const;
