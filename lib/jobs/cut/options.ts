/** What `etl cut` is asked for. */
import { EtlError } from "../../core/errors.ts";
import { refuseUnknown, type OptionNames } from "../../core/options.ts";
import type { Progress } from "../../core/progress.ts";
import type { Device, EngineName } from "../../engine/engine.ts";
import { serviceNames } from "../../engine/service.ts";
import { refuseIgnored, shareOfPercent } from "../run/option.ts";
import type { Criterion } from "../../surgery/criteria.ts";
import type { SaidSizes } from "../../network/fit.ts";

/** How much is to be left: exactly one of these. */
export interface CutTarget {
  /** Share of the channels of every block that stays, in (0, 1]. */
  readonly keep?: number;
  /** Share of the MACs that is left at most, in (0, 1]. */
  readonly targetFlops?: number;
  /** Largest size of the written file, in bytes. */
  readonly targetSize?: number;
  /** Largest CPU time of a run, in milliseconds. */
  readonly targetMs?: number;
  /** Largest share of the model's own CPU time, in (0, 1]. */
  readonly targetTime?: number;
}

export interface CutOptions extends CutTarget {
  /** Model file, run folder, or backbone by name. */
  readonly model: string;
  /** The `.onnx` file to write. */
  readonly out: string;
  /** Where to write the plan. */
  readonly planOut?: string;
  /** Write over files that are there already; those of a run never. Default true (the command line asks for `--replace`). */
  readonly replace?: boolean;
  /** Default `l1`. */
  readonly criterion?: Criterion;
  /**
   * Every layer keeps a multiple of so many outputs (the nearest), or all. `auto`: what the engine's kernels compute at a time
   * on this machine; with a target 16 where that is more and reaches it. Default 1 with `keep`, `auto` with a target.
   */
  readonly roundTo?: number | "auto";
  /** Latency table of the machine that it is made for, with a target of time. Default: this machine, measured. */
  readonly table?: string;
  readonly seed?: number;
  /** Height and width that are assumed where the file leaves them open. Default: the first usual size at which it fits. */
  readonly size?: SaidSizes["size"];
  /** Numbers that are assumed for open dimensions, by the names that the file gives them. */
  readonly bind?: SaidSizes["bind"];
  /** Compare the result with the masked original before it is written. Default true. */
  readonly check?: boolean;
  /** Timed runs of original and result; default: 50 with a target of time measured here, else none. */
  readonly runs?: number;
  readonly engine?: "auto" | EngineName;
  readonly device?: Device;
  readonly threads?: number;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

const optionNames: OptionNames<CutOptions> = {
  ...{
    model: true,
    out: true,
    planOut: true,
    replace: true,
    criterion: true,
    roundTo: true,
    size: true,
    bind: true,
    check: true,
    runs: true,
  },
  ...{
    keep: true,
    targetFlops: true,
    targetSize: true,
    targetMs: true,
    targetTime: true,
    table: true,
    seed: true,
    ...serviceNames,
  },
};

const targets = {
  keep: "--keep",
  targetFlops: "--target-flops",
  targetSize: "--target-size",
  targetMs: "--target-ms",
  targetTime: "--target-time",
} as const;

/** @throws EtlError `usage` for no target or several, and for what is no number */
export function checkCutOptions(options: CutOptions): void {
  refuseUnknown("cutModel", options, optionNames);
  const keys = Object.keys(targets) as (keyof typeof targets)[];
  const given = keys.filter((key) => options[key] !== undefined);
  if (given.length !== 1) {
    const found = given.length === 0 ? "no target" : given.map((key) => targets[key]).join(" and ");
    throw new EtlError(
      "usage",
      `cut: ${found}, exactly one of ${Object.values(targets).join(", ")} was needed`,
    );
  }
  for (const key of given) {
    const value = options[key] ?? NaN;
    const share = key === "keep" || key === "targetFlops" || key === "targetTime";
    if (value > 0 && Number.isFinite(value) && (!share || value <= 1)) continue;
    const needed = share ? "a share in (0, 1]" : "a positive number";
    const near = share ? shareOfPercent(value) : undefined;
    throw new EtlError("usage", `${targets[key]}: ${value}, ${needed} was needed`, {
      hint: near === undefined ? undefined : `did you mean ${near}?`,
    });
  }
  refuseIgnored({}, options, [
    options.targetMs === undefined &&
      options.targetTime === undefined && {
        names: ["table"],
        by: "a cut without a target of time",
        needed: "--target-ms or --target-time",
      },
  ]);
  if (!options.out.toLowerCase().endsWith(".onnx"))
    throw new EtlError("usage", `--out: ${options.out}, a name ending in .onnx was needed`);
  const { roundTo = 1, runs = 1 } = options;
  const counts = [["round-to", roundTo === "auto" ? 1 : roundTo] as const, ["runs", runs] as const];
  for (const [name, value] of counts) {
    if (!Number.isInteger(value) || value < 1) {
      const needed = `${name === "round-to" ? "auto or " : ""}a whole number of at least 1`;
      throw new EtlError("usage", `--${name}: ${value}, ${needed} was needed`);
    }
  }
}
