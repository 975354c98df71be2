/**
 * Outputs that stay where they are. A run can write into arrays of the caller, but onnxruntime-node then copies every output
 * once more into a new array: for a training step that is the whole state, tens to hundreds of megabytes of fresh memory.
 * It copies output after output and stops at the first that is no tensor. So the model gets such an output in front of
 * the others: the run computes everything, fills the caller's arrays and hands nothing back.
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { messageOf } from "../../core/errors.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import type { Network } from "../../network/network.ts";
import { createSession, OrtTensor, runtimeError, type Session, type SessionSettings } from "./session.ts";

/** Name of the output that is an empty sequence. */
const STOP = "nothing is handed back";

/**
 * A model with an empty sequence as its first output. Fields of the graph that come first are merged with those of the
 * model behind them, as protobuf wants it; needs operator set 11.
 */
function stopped(model: Uint8Array): Uint8Array {
  const writer = new BinaryWriter();
  const message = (field: number): BinaryWriter => writer.tag(field, WireType.LengthDelimited).fork();
  message(7); // graph
  message(1); // node
  writer.tag(2, WireType.LengthDelimited).string(STOP);
  writer.tag(4, WireType.LengthDelimited).string("SequenceEmpty");
  writer.join();
  message(12); // output: name, type = sequence of float tensors
  writer.tag(1, WireType.LengthDelimited).string(STOP);
  for (const field of [2, 4, 1, 1]) message(field);
  writer.tag(1, WireType.Varint).int32(1);
  for (let i = 0; i < 4; i++) writer.join();
  writer.join().join();
  const front = writer.finish();
  const whole = new Uint8Array(front.length + model.length);
  whole.set(front);
  whole.set(model, front.length);
  return whole;
}

/** A session whose runs fill arrays of the caller. */
export interface InPlaceSession {
  /** Runs once; every output named in `into` is written to its tensor, nothing is handed back. */
  run(feeds: Record<string, OrtTensor>, into: Record<string, OrtTensor>): Promise<void>;
  release(): Promise<void>;
}

/** Builds a session from ONNX bytes of operator set 11 or later. */
export async function createInPlaceSession(
  model: Uint8Array,
  settings: SessionSettings,
): Promise<InPlaceSession> {
  refusal ??= learnRefusal();
  const expected = await refusal;
  const session = await createSession(expected === undefined ? model : stopped(model), settings);
  return {
    run: (feeds, into) => runInto(session, feeds, { into, expected }),
    release: () => session.release(),
  };
}

async function runInto(
  session: Session,
  feeds: Record<string, OrtTensor>,
  { into, expected }: { readonly into: Record<string, OrtTensor>; readonly expected: string | undefined },
): Promise<void> {
  try {
    await session.run(feeds, expected === undefined ? into : { [STOP]: null, ...into });
  } catch (error) {
    if (expected === undefined || messageOf(error) !== expected) throw runtimeError("run", error);
  }
}

/** What this build of onnxruntime-node says to an output that is no tensor; undefined: it does not stop there. */
let refusal: Promise<string | undefined> | undefined;

async function learnRefusal(): Promise<string | undefined> {
  const value = (name: string) => ({ name, type: "float32", shape: [1] }) as const;
  const probe: Network = {
    name: "probe",
    opset: 17,
    inputs: [value("x")],
    outputs: [value("y")],
    nodes: [{ name: "y", op: "Neg", domain: "", inputs: ["x"], outputs: ["y"], attributes: {} }],
    parameters: new Map(),
    metadata: {},
  };
  const settings = { threads: 1, optimization: "disabled", fixedShapes: true } as const;
  const session = await createSession(stopped(writeOnnx(probe)), settings);
  const one = (number: number): OrtTensor => new OrtTensor("float32", Float32Array.of(number), [1]);
  const y = one(0);
  try {
    await session.run({ x: one(1) }, { [STOP]: null, y });
    return undefined;
  } catch (error) {
    return y.data[0] === -1 ? messageOf(error) : undefined;
  } finally {
    await session.release();
  }
}
