"""The peer of test/bench/lasso.ts: scikit-learn's lasso_path, with a precomputed Gram matrix where there is one output.

    python3 lasso.py make FOLDER N P     draws x.bin [n, p], y.bin [n, 1] (float32) and data.json
    python3 lasso.py solve FOLDER GAP    says hello, then solves the path once for every line on stdin

`solve` uses the loosest tolerance of 1e-3, 1e-4, ... at which every gap is at most GAP * ||y - mean||^2 / N, as ours is.
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
    y = hidden[:, 0] + 0.5 * hidden[:, 1] + 0.7 * rng.standard_normal(n) > 0
    x.astype("<f4").tofile(folder / "x.bin")
    y.astype("<f4").tofile(folder / "y.bin")
    (folder / "data.json").write_text(json.dumps({"n": n, "p": p, "q": 1}))
    print("{}")


def read(folder):
    """Responses and targets about their means, float64."""
    size = json.loads((folder / "data.json").read_text())
    x, y = (
        np.fromfile(folder / name, "<f4").astype(float).reshape(size["n"], -1) for name in ("x.bin", "y.bin")
    )
    return np.asfortranarray(x - x.mean(axis=0)), np.asfortranarray(y - y.mean(axis=0))


def largest_gap(x, y, lambdas, coefs):
    """Largest duality gap on the path as a share of ||y||^2 / N, computed from the data. coefs: [q, p, lambdas]"""
    n = len(y)
    gaps = []
    for i, alpha in enumerate(lambdas):
        beta = coefs[:, :, i].T
        r = y - x @ beta
        s = min(1, alpha * n / np.linalg.norm(x.T @ r, axis=1).max())
        primal = (r * r).sum() / (2 * n) + alpha * np.linalg.norm(beta, axis=1).sum()
        dual = s * (y * r).sum() / n - s * s * (r * r).sum() / (2 * n)
        gaps.append(primal - dual)
    return max(gaps) / ((y * y).sum() / n)


def solve(folder, wanted):
    x, y = read(folder)
    n, q = y.shape
    xy = x.T @ y
    lambdas = np.linalg.norm(xy, axis=1).max() / n * np.power(1e4, -np.arange(100) / 99)
    one = {"precompute": x.T @ x, "Xy": xy[:, 0]} if q == 1 else {}
    target = y[:, 0] if q == 1 else y

    def run(tol):
        start = time.perf_counter(), time.process_time()
        coefs = lasso_path(x, target, alphas=lambdas, tol=tol, max_iter=1_000_000, **one)[1]
        seconds = {"wall": time.perf_counter() - start[0], "cpu": time.process_time() - start[1]}
        return seconds, largest_gap(x, y, lambdas, coefs.reshape(q, -1, len(lambdas)))

    tol = 1e-3
    seconds, gap = run(tol)
    while gap > wanted and tol > 1e-9:
        tol /= 10
        seconds, gap = run(tol)
    print(json.dumps({"version": sklearn.__version__, "tol": tol}), flush=True)
    for i, _ in enumerate(sys.stdin):
        if i > 0:
            seconds, gap = run(tol)
        print(json.dumps({**seconds, "gap": gap}), flush=True)


warnings.simplefilter("ignore")
where = pathlib.Path(sys.argv[2])
if sys.argv[1] == "make":
    make(where, int(sys.argv[3]), int(sys.argv[4]))
else:
    solve(where, float(sys.argv[3]))
