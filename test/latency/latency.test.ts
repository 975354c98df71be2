import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRandom } from "../../lib/core/random.ts";
import type { KernelTime } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import {
  aimAtTime,
  asBytes,
  measureEntries,
  tableOf,
  type TimedCandidate,
} from "../../lib/jobs/run/latency.ts";
import { shared, workAndKinds, workOf, type Work } from "../../lib/latency/features.ts";
import {
  fitRates,
  heldOutErrors,
  predictMs,
  kernelSums,
  type Rates,
  type Timed,
} from "../../lib/latency/fit.ts";
import { clockOf, readLatencyTable, type LatencyTable, type TableEntry } from "../../lib/latency/table.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import type { Network } from "../../lib/network/network.ts";
import { smallBackbone } from "../support/small-backbone.ts";

/** Three convolutions of chosen widths on maps of 16 x 16. */
function network(a: number, b: number, depthwise = false): Network {
  const net = createBuilder("sized");
  const zeros = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((x, y) => x * y, 1)) });
  let x = net.input("image", ["batch", 3, 16, 16]);
  x = net.relu(net.conv(x, { name: "one", weights: zeros(a, 3, 3, 3), pads: 1 }));
  if (depthwise) x = net.conv(x, { name: "each", weights: zeros(a, 1, 3, 3), pads: 1, group: a });
  x = net.relu(net.conv(x, { name: "two", weights: zeros(b, a, 3, 3), pads: 1 }));
  return net.build([net.conv(x, { name: "three", weights: zeros(b, b, 1, 1) })]);
}

const kindsOf = (one: Network, block: number): Record<string, number> =>
  Object.fromEntries(workOf(one, block));

describe("latency: work", () => {
  it("counts widths as the next multiple of a block, and fewer inputs than a block as they are", () => {
    const [even, odd] = [kindsOf(network(32, 32), 16), kindsOf(network(17, 31), 16)];
    expect(odd).to.deep.equal(even);
    expect(even["first: Conv 3x3/1x1 to 16x16"]).to.equal(32 * 27 * 256);
    expect(even["dense: Conv 3x3/1x1 to 16x16"]).to.equal(32 * 32 * 9 * 256);
    expect(kindsOf(network(17, 31), 1)["dense: Conv 3x3/1x1 to 16x16"]).to.equal(17 * 31 * 9 * 256);
    expect(kindsOf(network(32, 32, true), 16)["depthwise: Conv 3x3/1x1 to 16x16"]).to.equal(32 * 9 * 256);
  });

  it("counts apart what kernels compute with fewer than four blocks at a time", () => {
    const macs = (count: number, inputs: number, size: number): number => count * inputs * size * size * 256;
    const kinds = kindsOf(network(64, 72), 8);
    // 64 filters are two whole sets; of 72 the last eight are a set of one block, in "two" and in "three"
    expect(kinds["in sets of 1"]).to.equal(macs(8, 64, 3) + macs(8, 72, 1));
    expect([kinds["in sets of 2"], kinds["in sets of 3"]]).to.deep.equal([undefined, undefined]);
    expect(kindsOf(network(24, 16), 8)).to.include({
      "in sets of 3": macs(24, 3, 3),
      "in sets of 2": macs(16, 24, 3) + macs(16, 16, 1),
    });
    expect(Object.keys(kindsOf(network(24, 16), 1)).some((kind) => kind.startsWith("in sets"))).to.equal(
      false,
    );
    // every channel by itself: there are no sets
    expect(kindsOf(network(24, 32, true), 8)["in sets of 3"]).to.equal(macs(24, 3, 3));
  });
});

describe("latency: rates", () => {
  const random = createRandom(4).fork("latency");
  const truth = (work: ReadonlyMap<string, number>): number =>
    [...work].reduce((ms, [kind, amount]) => ms + amount * rateOf(kind), 0);
  const rateOf = (kind: string): number =>
    kind === shared.nodes ? 0.004 : kind === shared.maps ? 2e-7 : kind.includes("1x1/") ? 3e-8 : 1e-8;
  const widths = [64, ...Array.from({ length: 19 }, () => 16 * (1 + random.integer(4)))];
  const samples = (noise: number): Timed[] =>
    widths.map((width, i) => {
      const work = workOf(network(width, i === 0 ? 64 : widths[(3 * i) % 20]), 16);
      return { work, ms: truth(work) * (1 + noise * random.normal()) };
    });

  it("are found again from whole networks, and predict others", () => {
    const rates = fitRates(samples(0));
    for (const [a, b] of [
      [16, 64],
      [48, 16],
      [32, 48],
    ]) {
      const work = workOf(network(a, b), 16);
      expect((predictMs(work, rates) ?? 0) / truth(work)).to.be.closeTo(1, 0.03);
    }
    expect(heldOutErrors(samples(0)).at(-1)).to.be.below(0.05);
  });

  it("of layers that always do the same share of the work are told apart by what their kernels took", () => {
    const samples = [64, 16, 32, 48].map((width) => {
      const work = new Map(Object.entries({ one: width ** 2, other: width ** 2 }));
      return { work, ms: width ** 2 * 4e-8 };
    });
    const ratio = ({ one, other }: Rates): number => other / one;
    expect(ratio(fitRates(samples))).to.be.closeTo(1, 1e-6);
    const layers = new Map(Object.entries({ one: 1, other: 3 }));
    expect(ratio(fitRates(samples, { layers, all: 4 }))).to.be.closeTo(3, 0.05);
  });

  it("expect of each kind of layer what all its kernels took, in floats and in bytes", () => {
    const whole = smallBackbone();
    const block = 16;
    const { work, kinds } = workAndKinds(whole, block);
    const kernels = [...kinds.keys()].map((name, i): KernelTime => ({
      name,
      op: "Conv",
      form: "blocked",
      ms: i + 1,
    }));
    for (const run of [whole, asBytes(whole, "bytes"), asBytes(whole, "floats")]) {
      const { layers, all } = kernelSums(whole, run, { block, kernels });
      expect([...layers.keys()].sort()).to.deep.equal([...new Set(kinds.values())].sort());
      expect([...layers.keys()].every((kind) => work.has(kind))).to.equal(true);
      expect(all).to.equal((kinds.size * (kinds.size + 1)) / 2);
      expect([...layers.values()].reduce((sum, ms) => sum + ms, 0)).to.equal(all);
    }
  });

  it("do not make a wide head dear because a narrow one took the time that any node takes", () => {
    const work = (head: number): Work =>
      new Map([
        ["one", 1e8],
        ["product, small", head],
      ]);
    // a head of 256 weights took 13 us beside 8 ms of 1e8 multiplications
    const samples = [1, 0.6, 0.4].map((share) => ({
      work: new Map([
        ["one", share * 1e8],
        ["product, small", share * 256],
      ]),
      ms: share * 8.013,
    }));
    const layers = new Map(Object.entries({ one: 8, "product, small": 0.013 }));
    const rates = fitRates(samples, { layers, all: 8.013 });
    expect(predictMs(work(128 * 256), rates)).to.be.within(8, 8.3);
    expect(predictMs(work(256), rates)).to.be.within(7.9, 8.1);
  });

  it("are never negative, and errors say how disturbed the times were", () => {
    const disturbed = samples(0.03);
    expect(Object.values(fitRates(disturbed)).every((rate) => rate >= 0)).to.equal(true);
    const errors = heldOutErrors(disturbed);
    expect(errors.length).to.equal(19);
    expect(errors[9]).to.be.within(0.002, 0.08);
    const elsewhere = new Map([["dense: Conv 5x5/1x1 to 16x16", 1]]);
    expect(predictMs(elsewhere, fitRates(disturbed))).to.equal(undefined);
    const other = new Map([["depthwise: Conv 1x1/1x1 to 16x16", 1]]);
    expect(predictMs(other, fitRates(disturbed))).to.be.above(0);
  });
});

describe("latency: tables", function () {
  this.timeout(120_000);
  const entry = (threads: number, int8: boolean, wholeMs: number): TableEntry => ({
    ...{ threads, int8, wholeMs, error: { median: 0, largest: 0 }, networks: 24 },
    rates: Object.fromEntries([...workOf(network(16, 16), 16)].map(([kind]) => [kind, threads * 1e-6])),
  });
  const table: LatencyTable = {
    ...{ schema: 1, network: "sized", cpu: "a phone", engine: "ort", block: 16, batch: 1 },
    entries: [entry(1, false, 8), entry(4, false, 3), entry(4, true, 1)],
  };
  const message = (call: () => unknown): string => {
    try {
      call();
      return "";
    } catch (error) {
      return String(error);
    }
  };

  it("the fewest threads count unless others are asked for; shares are of the float network", () => {
    expect(clockOf(table, { int8: false }).wholeMs).to.equal(8);
    expect(clockOf(table, { int8: true }).wholeMs).to.equal(3);
    const [one, four] = [undefined, 4].map((threads) => clockOf(table, { int8: false, threads }));
    expect(four.wholeMs).to.equal(3);
    expect(four.predict(network(32, 32)) / one.predict(network(32, 32))).to.be.closeTo(4, 1e-9);
    expect(message(() => clockOf(table, { int8: true, threads: 1 }))).to.contain("1 thread int8 was needed");
    expect(message(() => clockOf(table, { int8: false }).predict(smallBackbone()))).to.contain(
      "has other layers",
    );
    // bytes are delivered where they are quicker: so much a layer, as in bytes small networks cost, leaves floats in front
    const [float, bytes] = [entry(4, false, 3), entry(4, true, 1)];
    const slow = { ...bytes, rates: { ...float.rates, [shared.nodes]: 1 } };
    const quick = { ...bytes, rates: { ...float.rates, [shared.maps]: 0 } };
    const predicted = (...entries: TableEntry[]): number =>
      clockOf({ ...table, entries }, { int8: true }).predict(network(32, 32));
    expect(predicted(float, slow)).to.equal(
      clockOf(table, { int8: false, threads: 4 }).predict(network(32, 32)),
    );
    expect(predicted(float, quick)).to.be.below(predicted(float, slow));
    const { rates, ...rest } = entry(1, false, 8);
    const endless = { ...rest, rates: Object.fromEntries(Object.keys(rates).map((kind) => [kind, 1e308])) };
    const clock = clockOf({ ...table, entries: [endless] }, { int8: false });
    expect(message(() => clock.predict(network(16, 16)))).to.contain(
      "Infinity ms for sized, rates of a machine",
    );
  });

  it("a file that is none is refused", async () => {
    const root = await mkdtemp(join(tmpdir(), "etl-table-"));
    try {
      for (const [i, bad] of [{}, null, { ...table, entries: [] }, { ...table, block: 0 }].entries()) {
        const path = join(root, `${i}.json`);
        await writeFile(path, JSON.stringify(bad));
        expect(String(await readLatencyTable(path).catch((error: unknown) => error))).to.contain(
          "no latency table",
        );
      }
      await writeFile(join(root, "good.json"), JSON.stringify(table));
      expect(await readLatencyTable(join(root, "good.json"))).to.deep.equal(table);
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it("is measured on networks of other widths, in floats and in bytes", async () => {
    const engine = await openEngine({ engine: "ort", threads: 1 });
    try {
      const small = smallBackbone();
      const sizable = { network: small, coupling: analyseCoupling(small) };
      const entries = await measureEntries(engine, sizable, { int8: true });
      expect(entries.map(({ int8, threads, networks }) => [int8, threads, networks])).to.deep.equal([
        [false, 1, 36],
        [true, 1, 36],
      ]);
      const made = tableOf(engine, "small", entries);
      expect(made.block).to.equal(engine.channelBlock);
      const { predict, wholeMs } = clockOf(made, { int8: false });
      expect(predict(small) / wholeMs).to.be.within(0.2, 5); // the machine may be busy
    } finally {
      await engine.dispose();
    }
  });
});

describe("latency: aiming", () => {
  /** Networks 1..100; what is predicted is off by a factor that the search does not know. */
  const search =
    (searched: number[]) =>
    (limit: number): Promise<TimedCandidate<number>> => {
      searched.push(limit);
      const item = Math.max(1, Math.min(100, Math.floor(limit * 10)));
      return Promise.resolve({ item, predictedMs: item / 10, reached: item / 10 <= limit });
    };

  it("corrects the prediction by what is measured, until it is within 3 % below the target", async () => {
    for (const factor of [0.8, 0.97, 1, 1.2, 1.4]) {
      const searched: number[] = [];
      const { measuredMs = 0, reached } = await aimAtTime(5, search(searched), (item) =>
        Promise.resolve((factor * item) / 10),
      );
      expect(reached, String(factor)).to.equal(true);
      expect(measuredMs, String(factor)).to.be.within(4.85, 5);
      expect(searched.length).to.be.at.most(4);
    }
  });

  it("another machine's table decides alone; what cannot be reached is the smallest, and says so", async () => {
    const there = await aimAtTime(5, search([]));
    expect(there).to.deep.equal({ item: 50, predictedMs: 5, reached: true });
    const least = await aimAtTime(0.05, search([]), (item) => Promise.resolve(item / 10));
    expect(least).to.deep.include({ item: 1, reached: false, measuredMs: 0.1 });
  });
});
