"""The peer of test/bench/lasso.ts: scikit-learn's lasso_path with a precomputed Gram matrix.

    python3 lasso.py make FOLDER N P     draws data, writes X'X, X'y and the like (float64, about the mean)
    python3 lasso.py solve FOLDER REPEATS GAP

`solve` uses the loosest tolerance of 1e-3, 1e-4, ... at which every gap is at most GAP * ||y - mean||^2 / N, as ours is.
Prints one JSON object.
"""

import json
import pathlib
import sys
import time
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import lasso_path


def make(folder, n, p):
    """Non-negative, correlated responses, a twentieth of them dead, and a binary target."""
    rng = np.random.default_rng(p)
    hidden = rng.standard_normal((n, max(4, p // 8)))
    x = hidden @ rng.standard_normal((hidden.shape[1], p)) + 0.3 * rng.standard_normal((n, p)) + 0.5
    x = 0.1 * np.maximum(x, 0)
    x[:, ::20] = 0
    y = (hidden[:, 0] + 0.5 * hidden[:, 1] + 0.7 * rng.standard_normal(n) > 0).astype(float)
    x -= x.mean(axis=0)
    y -= y.mean()
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    (x.T @ x).astype("<f8").tofile(folder / "gram.bin")
    (x.T @ y).astype("<f8").tofile(folder / "xy.bin")
    (folder / "data.json").write_text(json.dumps({"n": n, "p": p, "yy": float(y @ y)}))


def largest_gap(x, y, lambdas, coefs):
    """Largest duality gap on the path as a share of ||y||^2 / N, computed from the data."""
    n = len(y)
    gaps = []
    for alpha, beta in zip(lambdas, coefs.T):
        r = y - x @ beta
        s = min(1, alpha * n / np.abs(x.T @ r).max())
        primal = r @ r / (2 * n) + alpha * np.abs(beta).sum()
        dual = s * (y @ r) / n - s * s * (r @ r) / (2 * n)
        gaps.append(primal - dual)
    return max(gaps) / (y @ y / n)


def solve(folder, repeats, wanted):
    x, y = np.load(folder / "x.npy"), np.load(folder / "y.npy")
    gram, xy = x.T @ x, x.T @ y
    lambdas = np.abs(xy).max() / len(y) * np.power(1e4, -np.arange(100) / 99)

    def run(tol):
        start = time.perf_counter(), time.process_time()
        coefs = lasso_path(x, y, alphas=lambdas, precompute=gram, Xy=xy, tol=tol, max_iter=1_000_000)[1]
        seconds = time.perf_counter() - start[0], time.process_time() - start[1]
        return seconds, largest_gap(x, y, lambdas, coefs)

    tol = 1e-3
    seconds, gap = run(tol)
    while gap > wanted and tol > 1e-9:
        tol /= 10
        seconds, gap = run(tol)
    times = [seconds] + [run(tol)[0] for _ in range(repeats - 1)]
    wall, cpu = zip(*times)
    print(json.dumps({"wall": wall, "cpu": cpu, "gap": gap, "tol": tol, "version": sklearn.__version__}))


warnings.simplefilter("ignore")
where = pathlib.Path(sys.argv[2])
if sys.argv[1] == "make":
    make(where, int(sys.argv[3]), int(sys.argv[4]))
else:
    solve(where, int(sys.argv[3]), float(sys.argv[4]))
