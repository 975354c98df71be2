/** Fresh weights: the control that is trained from scratch, and networks that nobody has trained yet. */
import { factsOf } from "../network/operators/facts.ts";
import { createRandom } from "../core/random.ts";
import { intAttribute, producersOf, type Network, type Node, type Parameter } from "../network/network.ts";

/**
 * The same network with random weights.
 *
 * Convolutions and inner matrices: uniform with variance 2 / fan-in (He et al. 2015); the matrix that makes an output:
 * 1 / fan-in; biases 0; batch norm at its identity; PRelu slopes 0.25. In a residual network without batch norm the
 * last convolution of each of the L branches is divided by sqrt(L), so that the signal does not double at every
 * addition (Zhang et al. 2019, Fixup, in its simplest form). Other constants stay.
 *
 * @param seed same seed, same weights
 */
export function initialise(network: Network, seed: number): Network {
  const random = createRandom(seed).fork("initialise");
  const parameters = new Map(network.parameters);
  const outputs = new Set(network.outputs.map(({ name }) => name));
  const branches = lastOfBranches(network);
  const branchGain = branches.size === 0 ? 1 : 1 / Math.sqrt(branches.size);
  const fill = (name: string | undefined, value: number): void => {
    const parameter = name === undefined ? undefined : parameters.get(name);
    if (name === undefined || parameter?.type !== "float32") return;
    parameters.set(name, { ...parameter, data: new Float32Array(parameter.data.length).fill(value) });
  };
  const draw = (name: string, fanIn: number, gain: number): void => {
    const parameter = parameters.get(name);
    if (parameter?.type !== "float32") return;
    const stream = random.fork(name);
    const bound = Math.sqrt((3 * gain) / fanIn);
    const data = new Float32Array(parameter.data.length);
    for (let i = 0; i < data.length; i++) data[i] = (2 * stream.uniform() - 1) * bound;
    parameters.set(name, { ...parameter, data });
  };
  for (const node of network.nodes) {
    const weight = parameters.get(node.inputs[1]);
    if (node.op === "BatchNormalization") {
      [1, 0, 0, 1].forEach((value, i) => {
        fill(node.inputs[i + 1], value);
      });
    } else if (node.op === "PRelu") {
      fill(node.inputs[1], 0.25);
    } else if (weight !== undefined && isLayer(node)) {
      const last = node.outputs.some((name) => outputs.has(name));
      const gain = (last ? 1 : 2) * (branches.has(node.name) ? branchGain ** 2 : 1);
      draw(node.inputs[1], fanInOf(node, weight), gain);
      fill(node.inputs[2], 0);
    } else if (node.op === "Add") {
      fill(biasBehindMatMul(network, node), 0);
    }
  }
  return { ...network, parameters };
}

function isLayer(node: Node): boolean {
  return factsOf(node.op).layer === true;
}

/** Number of inputs that one output element sums over. */
function fanInOf(node: Node, { shape }: Parameter): number {
  const area = shape.slice(2).reduce((product, size) => product * size, 1);
  if (node.op === "Conv") return shape[1] * area;
  if (node.op === "ConvTranspose") return (shape[0] * area) / intAttribute(node, "group", 1);
  const transposed = node.op === "Gemm" && intAttribute(node, "transB", 0) === 1;
  return transposed ? shape[shape.length - 1] : shape[shape.length - 2];
}

/** Names of the convolutions that end a residual branch (nothing bends between them and the Add). */
function lastOfBranches(network: Network): Set<string> {
  const producers = producersOf(network);
  const found = new Set<string>();
  if (network.nodes.some(({ op }) => op === "BatchNormalization")) return found;
  const order = new Map(network.nodes.map(({ name }, i) => [name, i]));
  const straight = new Set(["Pad", "Identity"]);
  for (const add of network.nodes) {
    if (add.op !== "Add" || add.inputs.some((name) => network.parameters.has(name))) continue;
    const ends = add.inputs.flatMap((name) => {
      let node = producers.get(name);
      while (node !== undefined && straight.has(node.op)) node = producers.get(node.inputs[0]);
      return node?.op === "Conv" ? [node.name] : [];
    });
    ends.sort((a, b) => (order.get(b) ?? 0) - (order.get(a) ?? 0));
    if (ends.length > 0) found.add(ends[0]);
  }
  return found;
}

/** The parameter that an Add puts on the product of a MatMul (a bias in two nodes). */
function biasBehindMatMul(network: Network, add: Node): string | undefined {
  const bias = add.inputs.find((name) => network.parameters.has(name));
  const other = add.inputs.find((name) => !network.parameters.has(name));
  const maker = network.nodes.find(({ outputs }) => other !== undefined && outputs.includes(other));
  const weighted = maker?.op === "MatMul" && network.parameters.has(maker.inputs[1]);
  return weighted ? bias : undefined;
}
