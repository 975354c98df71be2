import { expect } from "chai";
import { createInPlaceSession, type InPlaceSession } from "../../lib/engine/ort/in-place.ts";
import { OrtTensor } from "../../lib/engine/ort/session.ts";
import { writeOnnx } from "../../lib/formats/onnx/write.ts";
import type { Node, ValueInfo } from "../../lib/network/network.ts";

const settings = { threads: 1, optimization: "disabled", fixedShapes: true } as const;
const value = (name: string, shape: (number | string)[]): ValueInfo => ({ name, type: "float32", shape });
const node = (op: string, inputs: string[], output: string): Node => ({
  ...{ name: output, op, domain: "", inputs, outputs: [output], attributes: {} },
});

describe("sessions that fill the caller's arrays", () => {
  let session: InPlaceSession;
  const open = async (nodes: Node[], [inputs, outputs]: [ValueInfo[], ValueInfo[]]): Promise<void> => {
    const network = { name: "t", opset: 17, inputs, outputs, nodes, parameters: new Map(), metadata: {} };
    session = await createInPlaceSession(writeOnnx(network), settings);
  };
  const tensor = (numbers: number[] | Float32Array): OrtTensor =>
    new OrtTensor("float32", Float32Array.from(numbers), [numbers.length]);

  afterEach(async () => {
    await session.release();
  });

  it("every output is where it was wanted, run after run", async () => {
    await open(
      [node("Neg", ["x"], "minus"), node("Abs", ["minus"], "size")],
      [[value("x", [2])], [value("minus", [2]), value("size", [2])]],
    );
    const [minus, size] = [tensor([0, 0]), tensor([0, 0])];
    await session.run({ x: tensor([3, -4]) }, { minus, size });
    expect([...minus.data, ...size.data]).to.deep.equal([-3, 4, 3, 4]);
    await session.run({ x: tensor([5, 6]) }, { size, minus });
    expect([...minus.data, ...size.data]).to.deep.equal([-5, -6, 5, 6]);
  });

  it("what a run reads may be what the one before it wrote", async () => {
    await open([node("Add", ["x", "x"], "twice")], [[value("x", [1])], [value("twice", [1])]]);
    let [now, next] = [tensor([1]), tensor([0])];
    for (let i = 0; i < 5; i++) {
      await session.run({ x: now }, { twice: next });
      [now, next] = [next, now];
    }
    expect(now.data[0]).to.equal(32);
  });

  it("a run makes no arrays of its own", async () => {
    const length = 2 ** 20;
    await open([node("Neg", ["x"], "minus")], [[value("x", [length])], [value("minus", [length])]]);
    const [x, minus] = [tensor(new Float32Array(length)), tensor(new Float32Array(length))];
    await session.run({ x }, { minus });
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 8; i++) await session.run({ x }, { minus });
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(4 * length);
  });

  it("a run that fails says so, and names the node", async () => {
    await open(
      [node("Add", ["x", "y"], "sum")],
      [[value("x", ["n"]), value("y", ["m"])], [value("sum", ["k"])]],
    );
    let message = "no error";
    try {
      await session.run({ x: tensor([1, 2]), y: tensor([1, 2, 3]) }, { sum: tensor([0, 0]) });
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).to.match(/^sum \(Add\): onnxruntime failed/);
  });
});
