/** Keras activations as operators. */
import { isRecord } from "../../core/own.ts";
import { float, int } from "../../network/builder.ts";
import { kerasError, text } from "./config.ts";
import { numberOf, unsupported, type KerasValue, type LayerCall } from "./context.ts";

type Write = (call: LayerCall, x: KerasValue, name: string) => string;

const writers: Readonly<Record<string, Write>> = {
  linear: (_, x) => x.name,
  relu: ({ net }, x, name) => net.relu(x.name, { name }),
  relu6: ({ net }, x, name) => net.clip(x.name, { name, min: 0, max: 6 }),
  sigmoid: ({ net }, x, name) => net.sigmoid(x.name, { name }),
  tanh: ({ net }, x, name) => net.tanh(x.name, { name }),
  softplus: ({ net }, x, name) => net.softplus(x.name, { name }),
  softsign: ({ net }, x, name) => net.node("Softsign", [x.name], { name }),
  elu: ({ net }, x, name) => net.node("Elu", [x.name], { name, attributes: { alpha: float(1) } }),
  selu: ({ net }, x, name) => net.node("Selu", [x.name], { name }),
  swish: ({ net }, x, name) => net.swish(x.name, { name }),
  // Keras 3 took PyTorch's definition, relu6(x + 3) / 6; Keras 2 and tfjs have clip(0.2 x + 0.5).
  hard_sigmoid: ({ net, version }, x, name) =>
    version === 3
      ? net.hardSigmoid(x.name, { name, alpha: 1 / 6, beta: 0.5 })
      : net.hardSigmoid(x.name, { name }),
  hard_silu: ({ net }, x, name) => net.hardSwish(x.name, { name }),
  softmax: ({ net }, x, name) => net.softmax(x.name, { name, axis: 1 }),
  log_softmax: ({ net }, x, name) => net.node("LogSoftmax", [x.name], { name, attributes: { axis: int(1) } }),
};

const aliases: Readonly<Record<string, string>> = {
  silu: "swish",
  hard_swish: "hard_silu",
  hardSigmoid: "hard_sigmoid",
  logSoftmax: "log_softmax",
};

/** Activations that treat every number alike, whatever the order of the channels. */
export function isElementwise(name: unknown): boolean {
  return typeof name === "string" && !name.toLowerCase().includes("softmax");
}

/** Applies the activation that a layer's settings name under `activation`; the operator is called `label/relu`. */
export function withActivation(call: LayerCall, x: KerasValue): KerasValue {
  const given = call.layer.config["activation"] ?? "linear";
  const named = isRecord(given) ? (given["class_name"] ?? given["name"]) : given;
  if (typeof named !== "string") throw kerasError(call.where, `activation ${text(named)}`, "a name");
  const own = call.layer.kind === "Activation";
  return activate(call, x, {
    activation: named,
    name: (kind) => (own ? call.label : `${call.label}/${kind}`),
  });
}

/** Applies one activation by its Keras name. */
export function activate(
  call: LayerCall,
  x: KerasValue,
  { activation, name }: { activation: string; name: (kind: string) => string },
): KerasValue {
  const kind = Object.hasOwn(aliases, activation) ? aliases[activation] : activation;
  if (!Object.hasOwn(writers, kind)) {
    const known = Object.keys(writers).join(", ");
    throw unsupported(call, `activation "${activation}"`, `one of ${known}`);
  }
  if (!isElementwise(kind) && x.flattened !== undefined) {
    throw unsupported(call, `${kind} behind Flatten`, "a Dense layer between them");
  }
  return { ...x, name: writers[kind](call, x, name(kind)) };
}

/** The layer ReLU with its three settings. */
export function reluLayer(call: LayerCall, x: KerasValue): KerasValue {
  const { net, label, layer } = call;
  const limit = layer.config["max_value"] ?? undefined;
  const slope = numberOf(call, "negative_slope", 0);
  if (numberOf(call, "threshold", 0) !== 0) throw unsupported(call, "a ReLU with a threshold", "threshold 0");
  if (limit === undefined) {
    const name =
      slope === 0 ? net.relu(x.name, { name: label }) : net.leakyRelu(x.name, slope, { name: label });
    return { ...x, name };
  }
  if (slope !== 0) throw unsupported(call, "a ReLU with slope and limit", "one of the two");
  return { ...x, name: net.clip(x.name, { name: label, min: 0, max: numberOf(call, "max_value", 6) }) };
}
