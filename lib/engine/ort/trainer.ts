import type { Network, Tensor } from "../../network/network.ts";
import type { StepResult, Tensors, TrainerState } from "../engine.ts";
import type { TrainingSetup } from "./messages.ts";
import { EtlError } from "../../core/errors.ts";
export interface RunningTrainer {
  step(inputs: Tensors, learningRate: number): Promise<StepResult>;
  gradients(inputs: Tensors): Promise<{ loss: number; gradients: Record<string, Tensor> }>;
  parameters(): Promise<Record<string, Tensor>>;
  state(): Promise<TrainerState>;
  restore(state: TrainerState): Promise<void>;
  dispose(): Promise<void>;
}
export function createTrainer(network: Network, setup: TrainingSetup): Promise<RunningTrainer> {
  throw new EtlError(
    "unsupported",
    `${network.name}: training ${setup.trainable.length} parameters is not there yet`,
  );
}
