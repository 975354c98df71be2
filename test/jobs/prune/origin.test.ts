import { expect } from "chai";
import { loadBackbone } from "../../../lib/backbones/catalogue.ts";
import { withHead } from "../../../lib/backbones/head.ts";
import { float32 } from "../../../lib/network/network.ts";
import { resolveOptions } from "../../../lib/jobs/prune/config.ts";
import { type PruneOptions } from "../../../lib/jobs/prune/options.ts";
import { originOf } from "../../../lib/jobs/prune/origin.ts";

describe("where a cut starts", () => {
  const options: PruneOptions = { task: "gender", data: "synthetic:60", out: "nowhere" };

  async function tuned() {
    const backbone = await loadBackbone("face-resnet");
    const headed = withHead(backbone.network, backbone.features, { outputs: 1 });
    const parameters = new Map(headed.parameters);
    for (const [name, { type, shape, data }] of headed.parameters)
      if (type === "float32")
        parameters.set(
          name,
          float32(
            shape,
            (data as Float32Array).map((value) => 2 * value),
          ),
        );
    return { backbone, network: { ...headed, parameters } };
  }

  it("takes the fine-tuned weights into the backbone's own graph", async () => {
    const { backbone, network } = await tuned();
    const context = { backbone, config: resolveOptions(options) };
    const origin = originOf(context, { network, bestEpoch: 1 }).backbone;
    expect(origin.network.nodes).to.equal(backbone.network.nodes);
    expect([...origin.network.parameters.keys()]).to.deep.equal([...backbone.network.parameters.keys()]);
    const name = "conv32_1/conv1.weight";
    const [before, after] = [backbone.network, origin.network].map((n) => n.parameters.get(name)?.data[7]);
    expect(after).to.equal(2 * Number(before));
    // what lies behind the features is not in the baseline and stays
    expect(origin.network.parameters.get("fc.weight")).to.equal(backbone.network.parameters.get("fc.weight"));
  });

  it("leaves the backbone alone where that is asked for, or where training has not beaten the closed-form head", async () => {
    const { backbone, network } = await tuned();
    const config = resolveOptions(options);
    const asked = { backbone, config: { ...config, start: "backbone" as const } };
    expect(originOf(asked, { network, bestEpoch: 1 })).to.equal(asked);
    const unbeaten = { backbone, config };
    expect(originOf(unbeaten, { network, bestEpoch: 0 })).to.equal(unbeaten);
  });
});
