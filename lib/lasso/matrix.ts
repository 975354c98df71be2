/** Raw responses and targets -> moments about their means. */
import type { Moments } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import { createMomentsAccumulator, type MomentsOrigin } from "../math/moments.ts";

/** An ml-matrix `Matrix`, or row-major numbers. */
export type MatrixLike =
  | { readonly data: Float64Array | Float32Array; readonly rows: number; readonly columns: number }
  | { readonly rows: number; readonly columns: number; get(row: number, column: number): number };

interface Dense {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array | Float32Array;
}

/** Moments of x and y about their means. Checks shapes and that every number is finite. */
export function momentsOf(
  x: MatrixLike,
  y: Float64Array | Float32Array | MatrixLike,
): { readonly moments: Moments; readonly origin: MomentsOrigin } {
  const features = dense("x", x);
  const targets = ArrayBuffer.isView(y) ? { rows: y.length, columns: 1, data: y } : dense("y", y);
  const { rows } = features;
  if (targets.rows !== rows) {
    throw new EtlError("data", `lasso: x has ${rows} rows and y ${targets.rows}, the same number was needed`);
  }
  if (rows < 2) throw new EtlError("data", `lasso: ${rows} rows, at least 2 were needed`);
  const origin = { x: columnMeans("x", features), y: columnMeans("y", targets) };
  const accumulator = createMomentsAccumulator(features.columns, targets.columns, { origin });
  accumulator.add(features.data, targets.data, rows);
  return { moments: accumulator.about().moments, origin };
}

function dense(name: string, matrix: MatrixLike): Dense {
  const { rows, columns } = matrix;
  if (!Number.isInteger(rows) || !Number.isInteger(columns) || rows < 0 || columns < 1) {
    throw new EtlError("data", `lasso: ${name} is ${rows} x ${columns}, at least one column was needed`);
  }
  if ("get" in matrix) {
    const data = new Float64Array(rows * columns);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) data[i * columns + j] = matrix.get(i, j);
    }
    return { rows, columns, data };
  }
  if (matrix.data.length !== rows * columns) {
    throw new EtlError(
      "data",
      `lasso: ${name} has ${matrix.data.length} numbers for ${rows} x ${columns}, ${rows * columns} were needed`,
    );
  }
  return matrix;
}

/** Mean of every column; a constant column's mean is exactly its value. */
function columnMeans(name: string, { rows, columns, data }: Dense): Float64Array {
  const means = new Float64Array(columns);
  if (rows === 0) return means;
  for (let i = 0, at = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++, at++) {
      if (!Number.isFinite(data[at])) {
        throw new EtlError("data", `lasso: ${name}[${i}, ${j}] is ${data[at]}, a finite number was needed`);
      }
      means[j] += data[at] - data[j];
    }
  }
  for (let j = 0; j < columns; j++) means[j] = data[j] + means[j] / rows;
  return means;
}
