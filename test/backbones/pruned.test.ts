import { expect } from "chai";
import { backboneNames, loadBackbone } from "../../lib/backbones/catalogue.ts";
import { initialise } from "../../lib/backbones/initialise.ts";
import { architectures } from "../../lib/backbones/architecture.ts";
import { buildResnet18, buildResnet50 } from "../../lib/backbones/nets/resnet.ts";
import { buildVgg16 } from "../../lib/backbones/nets/vggface.ts";
import { createRandom } from "../../lib/core/random.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import type { Coupling } from "../../lib/network/coupling/types.ts";
import { intAttribute, type Network, type Parameter } from "../../lib/network/network.ts";
import { findTaps } from "../../lib/network/taps.ts";
import { applySurgery } from "../../lib/surgery/apply.ts";
import { planSurgery, type Plan, type Selection } from "../../lib/surgery/plan.ts";
import { lightBuilds } from "../support/architectures.ts";
import { maskNetwork } from "../support/mask.ts";
import { randomInputs, relativeDifference, run } from "../support/run.ts";

const narrow = { filters: [8, 8, 16, 16, 16], linear: 32 };

/** Every network of the catalogue, on small pictures. */
const builds: Readonly<Record<string, () => Network | Promise<Network>>> = {
  "face-resnet": async () => (await loadBackbone("face-resnet", { weights: "random" })).network,
  vggface: () => buildVgg16({ classes: 10, side: 32, widths: narrow }),
  resnet18: () => buildResnet18({ classes: 10, side: 64 }),
  resnet50: () => buildResnet50({ classes: 10, side: 32 }),
  ...Object.fromEntries(
    Object.entries(lightBuilds).map(([name, [, small]]) => {
      const side = name === "dmm-cnn" ? 96 : name.startsWith("l") ? 99 : 64;
      return [name, () => small(side)] as const;
    }),
  ),
};

const acrossChannels = /LRN.*normalises over the channels/;
/** What the reason of a layer that stays whole may say, beside that it makes an output. */
const reasons: Readonly<Partial<Record<string, RegExp>>> = {
  "lmtcnn-1-1": acrossChannels,
  "lmtcnn-2-1": acrossChannels,
  "levi-hassner": acrossChannels,
};

describe("backbones: every network of the catalogue can be pruned", function () {
  this.timeout(240_000);

  it("none is left out", () => {
    const family = (name: string): string => name.replace(/-0\.\d+$/, "");
    const named = [...backboneNames(), ...architectures.map(({ name }) => name)].map(family);
    expect(new Set(Object.keys(builds).map(family))).to.deep.equal(new Set(named));
  });

  for (const [name, build] of Object.entries(builds)) {
    it(`${name}: the cut network is the masked one, coupled channels stay or go together`, async () => {
      const network = withLivelyNorms(initialise(await build(), 1));
      const coupling = analyseCoupling(network);
      const inputs = randomInputs(network, { batch: 2, seed: 1 });
      const { halved, united } = plansOf(network, coupling);
      for (const plan of [halved, united]) {
        expectCoupled(plan, coupling);
        const cut = applySurgery(network, plan);
        expectGrouped(cut);
        const [found, wanted] = [await run(cut, inputs), await run(maskNetwork(network, plan), inputs)];
        expect(relativeDifference(found, wanted)).to.be.at.most(1e-5);
        expect(plan.after.macs).to.be.below(plan.before.macs);
        expect(plan.after.params).to.be.below(plan.before.params);
      }
      const whole = halved.layers.filter((row) => row.keptOutputs.length === row.totalOutputs);
      const special = reasons[name];
      const named = whole.filter(({ reason }) => special?.test(reason ?? "") === true);
      expect(named.length > 0).to.equal(special !== undefined);
      for (const { reason } of whole.filter((row) => !named.includes(row))) {
        expect(reason).to.match(/network output/);
      }
      expect(halved.after.macs).to.be.below(0.9 * halved.before.macs);
      expect(halved.after.params).to.be.below(0.7 * halved.before.params);
    });
  }
});

/** The network with batch norms that scale, shift and take off something, as trained ones do. */
function withLivelyNorms(network: Network): Network {
  const random = createRandom(2);
  const parameters = new Map<string, Parameter>(network.parameters);
  for (const { op, inputs } of network.nodes) {
    if (op !== "BatchNormalization") continue;
    inputs.slice(1).forEach((name, i) => {
      const parameter = parameters.get(name);
      if (parameter?.type !== "float32") return;
      const positive = i === 0 || i === 3;
      const data = Float32Array.from({ length: parameter.data.length }, () =>
        positive ? Math.exp(0.2 * random.normal()) : 0.2 * random.normal(),
      );
      parameters.set(name, { ...parameter, data });
    });
  }
  return { ...network, parameters };
}

/** Half of every layer's channels, where the deepest of a class decides; and half of every tap's, where all are heard. */
function plansOf(network: Network, coupling: Coupling): { halved: Plan; united: Plan } {
  const taps = findTaps(network);
  expect(taps.length).to.be.greaterThan(2);
  const random = createRandom(5);
  const half = (channels: number): Uint32Array =>
    Uint32Array.from(random.shuffle(Array.from({ length: channels }, (_, i) => i)))
      .slice(0, Math.ceil(channels / 2))
      .sort();
  const layers: Selection = new Map(coupling.layers.map(({ name, outputs }) => [name, half(outputs.length)]));
  const wanted: Selection = new Map(taps.map(({ tap, channels }) => [tap, half(channels)]));
  return {
    halved: planSurgery(network, layers, { groupSelect: "last", coupling }),
    united: planSurgery(network, wanted, { groupSelect: "union", coupling }),
  };
}

/** What a layer keeps is what the plan keeps of its classes, on both sides: no class is cut in one place only. */
function expectCoupled(plan: Plan, { layers, classOf }: Coupling): void {
  const kept = (atoms: Int32Array): number[] =>
    Array.from(atoms.keys()).filter((i) => plan.keep[classOf[atoms[i]]] === 1);
  for (const { name, keptInputs, keptOutputs } of plan.layers) {
    const layer = layers.find((each) => each.name === name);
    expect(layer, name).to.not.equal(undefined);
    if (layer === undefined) return;
    expect(Array.from(keptOutputs), `${name}, outputs`).to.deep.equal(kept(layer.outputs));
    expect(Array.from(keptInputs), `${name}, inputs`).to.deep.equal(kept(layer.inputs));
  }
}

/** Depthwise convolutions are still depthwise: one input for every group, equally many filters each. */
function expectGrouped({ nodes, parameters }: Network): void {
  for (const node of nodes) {
    const group = intAttribute(node, "group", 1);
    if (node.op !== "Conv" || group === 1) continue;
    const [filters, inputs] = parameters.get(node.inputs[1])?.shape ?? [];
    expect([inputs, filters % group], node.name).to.deep.equal([1, 0]);
  }
}
