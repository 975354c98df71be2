/** Two engines on the same network: how far are their outputs, gradients and steps apart? */
import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import type { Engine, Tensors, TrainingOptions } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { type Network, sizeOf, type Tensor } from "../../lib/network/network.ts";

/** Largest difference relative to the largest absolute value of `wanted`. */
export function distance(found: Tensor, wanted: Tensor): number {
  expect(found.shape).to.deep.equal(wanted.shape);
  const scale = wanted.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const apart = wanted.data.reduce((most, value, i) => Math.max(most, Math.abs(value - found.data[i])), 0);
  if (Number.isNaN(apart) || found.data.some(Number.isNaN)) return NaN;
  return apart === 0 ? 0 : apart / scale;
}

/** Standard normal values. */
export function randomTensor(shape: readonly number[], seed: string): Tensor {
  const random = createRandom(seed);
  return { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => random.normal()) };
}

export interface Engines {
  readonly ort: Engine;
  readonly tfjs: Engine;
}

/** Both engines, open while the suite that calls this runs. */
export function bothEngines(): () => Engines {
  let engines: Engines;
  before(async () => {
    engines = {
      ort: await openEngine({ engine: "ort", threads: 1 }),
      tfjs: await openEngine({ engine: "tfjs" }),
    };
  });
  after(async () => {
    await engines.ort.dispose();
    await engines.tfjs.dispose();
  });
  return () => engines;
}

/** Runs the network on both, and compares the values named (default: its outputs). */
export async function compareOutputs(
  { ort, tfjs }: Engines,
  network: Network,
  inputs: Tensors,
  { outputs = network.outputs.map(({ name }) => name), tolerance = 1e-5 } = {},
): Promise<void> {
  const [wanted, found] = await Promise.all(
    [ort, tfjs].map(async (engine) => {
      const program = await engine.compile(network, { outputs });
      try {
        return await program.run(inputs);
      } finally {
        await program.dispose();
      }
    }),
  );
  for (const name of outputs) {
    expect(distance(found[name], wanted[name]), `output ${name}`).to.be.at.most(tolerance);
  }
}

/** Compares loss and gradients of every trained parameter. Gradients of nothing (all zero) must be so in both. */
export async function compareGradients(
  { ort, tfjs }: Engines,
  network: Network,
  training: TrainingOptions,
  inputs: Tensors,
  tolerance = 1e-4,
): Promise<void> {
  const [wanted, found] = await Promise.all(
    [ort, tfjs].map(async (engine) => {
      const trainer = await engine.compileTraining(network, training);
      try {
        return await trainer.gradients(inputs);
      } finally {
        await trainer.dispose();
      }
    }),
  );
  expect(Math.abs(found.loss - wanted.loss), "loss").to.be.at.most(
    1e-5 * Math.max(Math.abs(wanted.loss), 1e-3),
  );
  expect(Object.keys(found.gradients)).to.have.members(Object.keys(wanted.gradients));
  const largest = Math.max(
    ...Object.values(wanted.gradients).map(({ data }) =>
      data.reduce((most, g) => Math.max(most, Math.abs(g)), 0),
    ),
  );
  for (const [name, gradient] of Object.entries(wanted.gradients)) {
    const own = gradient.data.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
    // a bias in front of a batch normalisation has a gradient of rounding errors alone
    if (own < 1e-6 * largest) {
      const most = found.gradients[name].data.reduce((a, g) => Math.max(a, Math.abs(g)), 0);
      expect(most, `gradient of ${name} is nothing`).to.be.at.most(1e-5 * largest);
      continue;
    }
    expect(distance(found.gradients[name], gradient), `gradient of ${name}`).to.be.at.most(tolerance);
  }
}
