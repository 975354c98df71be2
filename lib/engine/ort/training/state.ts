/** What training changes: parameters, running statistics and the optimiser's state, in two arrays each. */
import { EtlError } from "../../../core/errors.ts";
import { type Network, sizeOf, type Tensor } from "../../../network/network.ts";
import type { Shape } from "../../../network/shapes/context.ts";
import type { TrainerState } from "../../engine.ts";
import { runningStatistics, slotKey, stateValues } from "../../training.ts";
import type { TrainingSetup } from "../../worker/messages.ts";
import type { OptimizerPlan } from "../../../gradients/optimizers.ts";
import { pack, unpack, type WeightForm, weightForms } from "../../../gradients/packing.ts";
import { OrtTensor } from "../session.ts";
import type { StateTensors } from "./update.ts";

/** Tensors by name, in the form in which graphs keep them. A step reads the current ones and fills the spare ones. */
export interface TrainingState {
  /** Steps taken. */
  readonly steps: number;
  current(name: string): OrtTensor | undefined;
  /** Where a step's new values go: name of the graph's output -> tensor. */
  spare(tensors: StateTensors): Record<string, OrtTensor>;
  /** The spare tensors have been filled and are the current ones from now on. */
  advance(): void;
  /** Row-major copies of the parameters and running statistics. */
  parameters(): Record<string, Tensor>;
  snapshot(): TrainerState;
  restore(state: TrainerState): void;
  /** A row-major copy of a tensor that has the form of a parameter, its gradient for instance. */
  unpacked(parameter: string, tensor: OrtTensor): Tensor;
}

/** The state before the first step. */
export function createTrainingState(
  network: Network,
  setup: TrainingSetup,
  { plan, block }: { readonly plan: OptimizerPlan; readonly block: number },
): TrainingState {
  const forms = weightForms(network, setup.trainable, block);
  const trained = [...setup.trainable, ...runningStatistics(network, new Set(setup.trainable))];
  let current = new Map<string, OrtTensor>();
  let spare = new Map<string, OrtTensor>();
  let steps = 0;
  const kept = new Map<string, { readonly shape: Shape; readonly form: WeightForm | undefined }>();
  for (const name of trained) {
    const parameter = network.parameters.get(name);
    if (parameter === undefined) throw new EtlError("usage", `${name}: no such parameter, one was needed`);
    const entry = { shape: parameter.shape, form: forms.get(name) };
    kept.set(name, entry);
    if (setup.trainable.includes(name)) for (const slot of plan.slots) kept.set(slotKey(slot, name), entry);
  }
  for (const [name, { shape, form }] of kept) {
    const data = network.parameters.get(name)?.data as Float32Array | undefined;
    const tensor = data === undefined ? emptyTensor(form?.packedShape ?? shape) : toKept(data, shape, form);
    current.set(name, tensor);
    spare.set(name, toKept(tensor.data as Float32Array, tensor.dims, undefined));
  }

  const copies = (names: Iterable<string>): Record<string, Tensor> =>
    Object.fromEntries(
      [...names].map((name) => {
        const tensor = current.get(name);
        const entry = kept.get(name);
        if (tensor === undefined || entry === undefined) {
          throw new EtlError("engine", `${name}: unknown tensor, a trained one was needed`);
        }
        return [name, fromKept(tensor, entry.shape, entry.form)];
      }),
    );
  return {
    get steps() {
      return steps;
    },
    current: (name) => current.get(name),
    spare: (tensors) => {
      const into = [...tensors].flatMap(([name, output]) => {
        const place = spare.get(name);
        return place === undefined ? [] : [[output, place] as const];
      });
      return Object.fromEntries(into);
    },
    advance: () => {
      [current, spare] = [spare, current];
      steps++;
    },
    parameters: () => copies(trained),
    snapshot: () => ({ step: steps, tensors: copies(current.keys()) }),
    restore: (state) => {
      for (const [name, { shape, form }] of kept) {
        current.set(name, toKept(stateValues(state, name, shape), shape, form));
      }
      steps = state.step;
    },
    unpacked: (parameter, tensor) =>
      fromKept(tensor, network.parameters.get(parameter)?.shape ?? [], forms.get(parameter)),
  };
}

/** A tensor to be filled. */
export function emptyTensor(shape: Shape): OrtTensor {
  return new OrtTensor("float32", new Float32Array(sizeOf(shape)), shape);
}

/** A copy in the form in which the graph keeps it. */
function toKept(data: Float32Array, shape: Shape, form: WeightForm | undefined): OrtTensor {
  return form === undefined
    ? new OrtTensor("float32", data.slice(), shape)
    : new OrtTensor("float32", pack(data, form), form.packedShape);
}

/** A row-major copy. */
function fromKept(tensor: OrtTensor, shape: Shape, form: WeightForm | undefined): Tensor {
  const data = tensor.data as Float32Array;
  return { shape: [...shape], data: form === undefined ? data.slice() : unpack(data, form) };
}
