#!/usr/bin/env python3
"""The work of `etl prune --task gender`, as a PyTorch and scikit-learn user would write it.

Same stages, same data, same defaults as the command: decode and crop, validation cut by identity, harvest, LASSO
paths on all rows and on five folds, knees, union over coupled channels, surgery with reconstruction and sequential
refit, closed-form heads on plain and mirrored pictures, learning-rate trials and fine-tuning of the full and of the
pruned network, accuracy on test and validation parts, CPU time. Prints one JSON line with the seconds of every stage.

    python3 test/bench/peers/prune.py --data DIR --gamma 0.1

Needs torch, scikit-learn, Pillow (tried with 1.13, 1.2, 9.4). Images live in memory as bytes, activations in
channels-last layout, two threads: the fastest honest settings found on two cores.
"""
import argparse
import concurrent.futures
import copy
import csv
import json
import os
import random
import sys
import time
import warnings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lasso_path

HERE = os.path.dirname(os.path.abspath(__file__))
WEIGHTS = os.path.join(HERE, "../../../node_modules/@vladmandic/face-api/model")
SIDE = 150
MEAN = (122.782, 117.001, 104.298)
# name, filters, whether the block halves
BLOCKS = [
    ("conv32_1", 32, False), ("conv32_2", 32, False), ("conv32_3", 32, False),
    ("conv64_down", 64, True), ("conv64_1", 64, False), ("conv64_2", 64, False), ("conv64_3", 64, False),
    ("conv128_down", 128, True), ("conv128_1", 128, False), ("conv128_2", 128, False),
    ("conv256_down", 256, True), ("conv256_1", 256, False), ("conv256_2", 256, False),
    ("conv256_down_out", 256, True),
]  # fmt: skip
STEM = "conv32_down"


# ---------------------------------------------------------------------------------------------------------- network


def read_weights(folder=WEIGHTS):
    """tfjs name -> float32 array; value = byte * scale + min."""
    name = "face_recognition_model"
    with open(os.path.join(folder, f"{name}-weights_manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    weights = {}
    for group in manifest:
        data = b"".join(open(os.path.join(folder, path), "rb").read() for path in group["paths"])
        at = 0
        for entry in group["weights"]:
            size = int(np.prod(entry["shape"]))
            code = entry.get("quantization")
            kind = np.dtype(code["dtype"] if code else entry["dtype"])
            value = np.frombuffer(data, kind, size, at).astype(np.float32)
            at += size * kind.itemsize
            if code:
                value = value * np.float32(code["scale"]) + np.float32(code["min"])
            weights[entry["name"]] = value.reshape(entry["shape"])
    return weights


def fold(weights, name):
    """Convolution and the scale layer behind it: weight [out, in, k, k], bias [out]."""
    factor, shift = weights[f"{name}/scale/weights"], weights[f"{name}/scale/biases"]
    filters = weights[f"{name}/conv/filters"].transpose(3, 2, 0, 1) * factor[:, None, None, None]
    return filters, weights[f"{name}/conv/bias"] * factor + shift


class FaceResnet(nn.Module):
    """`inner` = filters of each block's first convolution, `stream` = width of the residual stream per stage."""

    def __init__(self, inner=None, stream=None):
        super().__init__()
        inner = inner or {name: filters for name, filters, _ in BLOCKS}
        self.stream = stream or {width: width for width in (32, 64, 128, 256)}
        self.convs = nn.ModuleDict({STEM: nn.Conv2d(3, self.stream[32], 7, 2)})
        width = self.stream[32]
        for name, filters, down in BLOCKS:
            out = self.stream[filters]
            pad = 0 if down else 1
            self.convs[f"{name}/conv1"] = nn.Conv2d(width, inner[name], 3, 2 if down else 1, pad)
            self.convs[f"{name}/conv2"] = nn.Conv2d(inner[name], out, 3, 1, 1)
            width = out
        self.head = nn.Linear(width, 1)

    def features(self, x, taps=None):
        """Pooled features [n, width]; `taps`, where given, receives every activation by the name of its maker."""
        x = F.relu(self.convs[STEM](x), inplace=True)
        if taps is not None:
            taps[STEM] = x
        x = F.max_pool2d(x, 3, 2)
        for name, _, down in BLOCKS:
            main = F.relu(self.convs[f"{name}/conv1"](x), inplace=True)
            if taps is not None:
                taps[f"{name}/conv1"] = main
            main = self.convs[f"{name}/conv2"](main)
            if down:
                x = F.avg_pool2d(x, 2)
                short, wider = x.shape[2] - main.shape[2], main.shape[1] - x.shape[1]
                if short:
                    main = F.pad(main, (0, short, 0, short))
                if wider:
                    x = F.pad(x, (0, 0, 0, 0, 0, wider))
            x = F.relu_(main + x)
            if taps is not None:
                taps[f"{name}/conv2"] = x
        return x.mean((2, 3))

    def forward(self, x):
        return self.head(self.features(x)).squeeze(1)


def load_face_resnet():
    network, weights = FaceResnet(), read_weights()
    with torch.no_grad():
        for name, conv in network.convs.items():
            filters, bias = fold(weights, name)
            conv.weight.copy_(torch.from_numpy(filters))
            conv.bias.copy_(torch.from_numpy(bias))
    return network.to(memory_format=torch.channels_last)


def cost(network):
    """MACs of one image and parameters, head included."""
    macs = 0

    def count(module, _, out):
        nonlocal macs
        area = out.shape[2] * out.shape[3] if out.dim() == 4 else 1
        macs += module.weight.numel() * area

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.inference_mode():
        network(torch.zeros(1, 3, SIDE, SIDE))
    for hook in hooks:
        hook.remove()
    return macs, sum(p.numel() for p in network.parameters())


# ------------------------------------------------------------------------------------------------------------- data


def read_image(path, crop):
    """Crop in fractions of the picture (outside = padded with black), [SIDE, SIDE, 3] bytes."""
    image = Image.open(path).convert("RGB")
    width, height = image.size
    box = [crop[0] * width, crop[1] * height, crop[2] * width, crop[3] * height]
    if min(crop) < 0 or max(crop) > 1:
        margin = int(max(width, height))
        canvas = Image.new("RGB", (width + 2 * margin, height + 2 * margin))
        canvas.paste(image, (margin, margin))
        image, box = canvas, [side + margin for side in box]
    return np.asarray(image.resize((SIDE, SIDE), Image.BILINEAR, box=box))


def read_data(folder, column, threads, task, limit=None, seed=0):
    """images [n, SIDE, SIDE, 3] bytes, labels [n], split [n], identity [n] or None."""
    with open(os.path.join(folder, "dataset.json"), encoding="utf-8") as file:
        about = json.load(file)
    with open(os.path.join(folder, "labels.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if limit is not None and limit < len(rows):
        rows = [rows[i] for i in sorted(random.Random(seed).sample(range(len(rows)), limit))]
    column = column or about["tasks"][task]["column"]
    images = np.empty((len(rows), SIDE, SIDE, 3), np.uint8)

    def fill(i):
        images[i] = read_image(os.path.join(folder, rows[i]["file"]), about["crop"])

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, range(len(rows)), chunksize=64))
    person = about.get("identity")
    return (
        images,
        np.array([float(row[column]) for row in rows], np.float32),
        np.array([row["split"] for row in rows]),
        np.array([row[person] for row in rows]) if person else None,
    )


def cut_validation(split, identity, share, seed):
    """Moves about `share` of the training rows to "val", whole identities where they are known."""
    rows = np.flatnonzero(split == "train")
    groups = {}
    for row in rows:
        groups.setdefault(identity[row] if identity is not None else row, []).append(row)
    keys = sorted(groups)
    random.Random(seed).shuffle(keys)
    split, moved = split.astype("U5"), 0
    for key in keys:
        if moved >= share * len(rows):
            break
        split[groups[key]] = "val"
        moved += len(groups[key])
    return split


def to_input(images):
    """Bytes [n, SIDE, SIDE, 3] -> float [n, 3, SIDE, SIDE] in channels-last memory."""
    x = torch.from_numpy(images).float()
    x.sub_(torch.tensor(MEAN)).div_(255)
    return x.permute(0, 3, 1, 2)


# ----------------------------------------------------------------------------------------- harvest, LASSO, knee, cut


def harvest(network, images, batch=32):
    """Pooled response of every tap: name -> [n, channels] float64."""
    pooled = {}
    with torch.inference_mode():
        for i in range(0, len(images), batch):
            taps = {}
            network.features(to_input(images[i : i + batch]), taps)
            for name, x in taps.items():
                pooled.setdefault(name, []).append(x.mean((2, 3)))
    return {name: torch.cat(parts).double().numpy() for name, parts in pooled.items()}


def paths(x, y, tol):
    """lambdas [100], coefficients [channels, 100] of the LASSO path, by covariance updates on the Gram matrix."""
    x, y = x - x.mean(0), y - y.mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        lambdas, beta, _ = lasso_path(
            x, y, eps=1e-4, n_alphas=100, precompute=x.T @ x, Xy=x.T @ y, tol=tol, max_iter=100000
        )
    return lambdas, beta


def held_out_rmse(x, y, folds, tol):
    """Root mean squared error on rows the path has not seen, mean over folds, [100]."""
    errors = []
    for fold_index in range(folds.max() + 1):
        seen = folds != fold_index
        _, beta = paths(x[seen], y[seen], tol)
        level = y[seen].mean() - x[seen].mean(0) @ beta
        errors.append(np.sqrt(np.mean((y[~seen, None] - x[~seen] @ beta - level) ** 2, 0)))
    return np.mean(errors, 0)


def knee(x, y, options, folds=None):
    """Channels that eq. 4 of the paper keeps: fewest with RMSE(i) - min r < gamma (max r - min r)."""
    _, beta = paths(x, y, options.tol)
    residual = (y - y.mean())[:, None] - (x - x.mean(0)) @ beta
    rmse = np.sqrt(np.mean(residual**2, 0))
    if folds is not None:
        rmse = held_out_rmse(x, y, folds, options.tol)
    number = (beta != 0).sum(0)
    allowed = rmse - rmse.min() < options.gamma * (rmse.max() - rmse.min())
    allowed &= number >= min(options.min_filters, x.shape[1])
    best = min(np.flatnonzero(allowed), key=lambda i: (number[i], rmse[i]), default=beta.shape[1] - 1)
    return np.flatnonzero(beta[:, best])


def deal_folds(identity, rows, k, seed):
    keys = sorted(set(identity[rows])) if identity is not None else list(rows)
    random.Random(seed).shuffle(keys)
    fold_of = {key: i % k for i, key in enumerate(keys)}
    return np.array([fold_of[identity[row] if identity is not None else row] for row in rows])


def is_stream(tap):
    return tap == STEM or tap.endswith("/conv2")


def width_of(tap):
    return next((filters for name, filters, _ in BLOCKS if tap.startswith(f"{name}/")), 32)


def select(knees):
    """Channels kept at every tap. The residual stream keeps channel i in every stage or in none (union of knees)."""
    stream = np.zeros(256, bool)
    for tap, keep in knees.items():
        if is_stream(tap):
            stream[keep] = True
    kept = np.flatnonzero(stream)
    return {tap: kept[kept < width_of(tap)] if is_stream(tap) else keep for tap, keep in knees.items()}


def input_tap(layer):
    """The tap a convolution reads; None for the first."""
    if layer == STEM:
        return None
    if layer.endswith("/conv2"):
        return layer[:-1] + "1"
    names = [name for name, _, _ in BLOCKS]
    at = names.index(layer[: -len("/conv1")])
    return f"{names[at - 1]}/conv2" if at else STEM


def predict_removed(x, keep, ridge=1e-3):
    """Removed channels as linear functions of the kept ones, x_r = A x_k + c, from pooled responses [n, channels].

    A = G_rk (G_kk + ridge I)^-1, ridge relative to the mean diagonal. Returns removed [r], A [r, k], c [r].
    """
    removed = np.setdiff1d(np.arange(x.shape[1]), keep)
    mean = x.mean(0)
    centred = x - mean
    gram = centred[:, keep].T @ centred[:, keep]
    gram[np.diag_indices_from(gram)] += ridge * gram.trace() / len(keep) + 1e-12
    a = np.linalg.solve(gram, centred[:, keep].T @ centred[:, removed]).T
    return removed, a, mean[removed] - a @ mean[keep]


def cut(network, kept, pooled=None):
    """The network with the kept filters only; removed inputs are folded into weights and bias where `pooled` is given."""
    inner = {name: len(kept[f"{name}/conv1"]) for name, _, _ in BLOCKS}
    stream = {width: int((kept["conv256_2/conv2"] < width).sum()) for width in (32, 64, 128, 256)}
    small = FaceResnet(inner, stream)
    with torch.no_grad():
        for layer, conv in network.convs.items():
            weight, bias = conv.weight.double().numpy(), conv.bias.double().numpy()
            weight, bias = weight[kept[layer]], bias[kept[layer]]
            source = input_tap(layer)
            if source:
                keep = kept[source]
                if pooled and len(keep) < weight.shape[1]:
                    removed, a, level = predict_removed(pooled[source], keep)
                    bias = bias + np.einsum("oiyx,i->o", weight[:, removed], level)
                    weight = weight[:, keep] + np.einsum("oryx,rk->okyx", weight[:, removed], a)
                else:
                    weight = weight[:, keep]
            small.convs[layer].weight.copy_(torch.from_numpy(weight))
            small.convs[layer].bias.copy_(torch.from_numpy(bias))
    return small.to(memory_format=torch.channels_last)


def refit(network, small, kept, images, rows=6000, ridge=1e-2, seed=0):
    """Sequential least squares, in place: layer by layer the small network's filters are refitted, so that from its own
    inputs they give what the full network's kept filters give from theirs. In front of an addition the target is the
    full sum less the small network's shortcut, so that errors do not pile up along the residual stream.
    """
    generator = np.random.default_rng(seed)

    def apply(function, *arrays):
        parts = [function(*[a[i : i + 32] for a in arrays]) for i in range(0, len(images), 32)]
        return torch.cat(parts).contiguous(memory_format=torch.channels_last)

    def fit(conv, x, target):
        height, width = target.shape[2:]
        stride, pad = conv.stride[0], conv.padding[0]
        x = F.pad(x, (pad,) * 4)
        per = min(height * width, -(-rows // len(x)))
        inputs, outputs = [], []
        for i in range(0, len(x), 16):
            for place in generator.choice(height * width, per, False):
                top, left = divmod(int(place), width)
                patch = x[i : i + 16, :, top * stride : top * stride + 3, left * stride : left * stride + 3]
                inputs.append(patch.reshape(len(patch), -1))
                outputs.append(target[i : i + 16, :, top, left])
        inputs, outputs = torch.cat(inputs).double(), torch.cat(outputs).double()
        weight = conv.weight.double().reshape(len(conv.weight), -1)
        residual = outputs - inputs @ weight.T - conv.bias.double()
        mean_in, mean_out = inputs.mean(0), residual.mean(0)
        inputs = inputs - mean_in
        gram = inputs.T @ inputs
        gram.diagonal().add_(ridge * gram.trace() / len(gram) + 1e-9)
        change = torch.cholesky_solve(inputs.T @ (residual - mean_out), torch.linalg.cholesky(gram)).T
        conv.weight.copy_((weight + change).reshape(conv.weight.shape))
        conv.bias.add_((mean_out - change @ mean_in).float())

    def widen(x, channels):
        return F.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1])) if channels > x.shape[1] else x

    with torch.inference_mode():
        stem = network.convs[STEM]
        full = apply(lambda part: F.max_pool2d(F.relu(stem(to_input(part))), 3, 2), images)
        mine = full[:, torch.from_numpy(kept[STEM])].contiguous(memory_format=torch.channels_last)
        for name, _, down in BLOCKS:
            first, second = f"{name}/conv1", f"{name}/conv2"
            keep_first, keep = torch.from_numpy(kept[first]), torch.from_numpy(kept[second])
            target = apply(network.convs[first], full)
            fit(small.convs[first], mine, target[:, keep_first])
            main_full = apply(network.convs[second], F.relu(target))
            inner = F.relu(apply(small.convs[first], mine))
            if down:
                full, mine = F.avg_pool2d(full, 2), F.avg_pool2d(mine, 2)
            full, mine = widen(full, main_full.shape[1]), widen(mine, len(keep))
            height, width = main_full.shape[2:]
            fit(small.convs[second], inner, main_full[:, keep] + (full[:, keep] - mine)[:, :, :height, :width])
            main = apply(small.convs[second], inner)
            short = full.shape[2] - height
            full = F.relu(F.pad(main_full, (0, short, 0, short)) + full)
            mine = F.relu(F.pad(main, (0, short, 0, short)) + mine)


# --------------------------------------------------------------------------------------------------------- training


def solve_head(network, features, y, ridge=1e-3):
    """Least squares of 0/1 labels on the network's own pooled features; logit = (prediction - 1/2) / rmse^2."""
    mean = features.mean(0)
    centred = features - mean
    gram = centred.T @ centred
    gram[np.diag_indices_from(gram)] += ridge * gram.trace() / len(gram) + 1e-12
    beta = np.linalg.solve(gram, centred.T @ (y - y.mean()))
    rmse2 = np.mean((y - y.mean() - centred @ beta) ** 2)
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(beta / rmse2)[None])
        network.head.bias.fill_((y.mean() - mean @ beta - 0.5) / rmse2)


def features_of(network, images, batch=32):
    with torch.inference_mode():
        parts = [network.features(to_input(images[i : i + batch])) for i in range(0, len(images), batch)]
    return torch.cat(parts).double().numpy()


def logits_of(network, images, batch=32):
    with torch.inference_mode():
        return torch.cat([network(to_input(images[i : i + batch])) for i in range(0, len(images), batch)])


def with_mirrored(network, images, plain, y, seed):
    """Features of the pictures and, once more, of each mirrored by chance; labels beside them."""
    mirrored = images.copy()
    chosen = np.random.default_rng(seed).random(len(images)) < 0.5
    mirrored[chosen] = mirrored[chosen, :, ::-1]
    return np.concatenate([plain, features_of(network, mirrored)]), np.concatenate([y, y])


def score(network, images, y):
    """loss, accuracy"""
    logits, target = logits_of(network, images), torch.from_numpy(y)
    loss = F.binary_cross_entropy_with_logits(logits, target).item()
    return loss, ((logits > 0).float() == target).float().mean().item()


def choose_rate(network, train, val, options, teacher):
    """The candidate with the lowest validation loss after a third of an epoch (20 to 60 steps), from the same start."""
    if len(options.lr) == 1:
        return options.lr[0]
    start, losses = copy.deepcopy(network.state_dict()), []
    score(network, *val)
    steps = min(60, max(20, -(-(len(train[1]) // options.batch) // 3)))
    for rate in options.lr:
        train_steps(network, train, options, rate, steps, teacher)
        losses.append(score(network, *val)[0])
        network.load_state_dict(start)
        print(f"  learning rate {rate}: validation loss {losses[-1]:.4f}", file=sys.stderr)
    return options.lr[int(np.argmin(losses))]


def finetune(network, train, val, options, epochs, teacher=None):
    """AdamW, linear warm-up, cosine; keeps the epoch with the best validation accuracy (then loss), epoch 0 included."""
    if epochs == 0:
        return score(network, *val)[1]
    rate = choose_rate(network, train, val, options, teacher)
    best = [(score(network, *val), copy.deepcopy(network.state_dict()))]

    def validate():
        now = score(network, *val)
        print(f"  validation loss {now[0]:.4f}, accuracy {now[1]:.4f}", file=sys.stderr)
        if (-now[1], now[0]) < (-best[0][0][1], best[0][0][0]):
            best[0] = (now, copy.deepcopy(network.state_dict()))

    train_steps(network, train, options, rate, epochs * (len(train[1]) // options.batch), teacher, validate)
    network.load_state_dict(best[0][1])
    return best[0][0][1]


def train_steps(network, train, options, rate, steps, teacher=None, after_epoch=lambda: None):
    """`steps` steps of AdamW on shuffled, randomly mirrored full batches.

    `teacher`: pooled features of the unpruned network on the training pictures and on their mirror images,
    [2, n, width]; their squared distance, in units of each channel's variance, is added to the loss.
    """
    images, y = train
    generator = np.random.default_rng(options.seed)
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-4, foreach=True)
    warmup, step = max(1, round(0.2 * steps)), 0
    if teacher is not None:
        spread = teacher.var((0, 1)) + 1e-12
    while step < steps:
        order = generator.permutation(len(y))
        for i in range(0, len(y) - options.batch + 1, options.batch):
            rows = order[i : i + options.batch]
            mirrored = generator.random(len(rows)) < 0.5
            x = images[rows]
            x[mirrored] = x[mirrored, :, ::-1]
            features = network.features(to_input(x))
            logits = network.head(features).squeeze(1)
            loss = F.binary_cross_entropy_with_logits(logits, torch.from_numpy(y[rows]))
            if teacher is not None:
                target = teacher[torch.from_numpy(mirrored.astype(np.int64)), torch.from_numpy(rows)]
                loss = loss + 0.5 * options.distill * ((features - target) ** 2 / spread).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            done = (step - warmup) / max(1, steps - warmup)
            factor = (step + 1) / (warmup + 1) if step < warmup else 0.5 * (1 + np.cos(np.pi * done))
            optimizer.param_groups[0]["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            if step == steps:
                break
        after_epoch()


def latency(networks, runs=50, warmup=10):
    """Median milliseconds of one image, the networks interleaved."""
    x = torch.zeros(1, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
    times = [[] for _ in networks]
    with torch.inference_mode():
        for run in range(warmup + runs):
            for i, network in enumerate(networks):
                start = time.perf_counter()
                network(x)
                if run >= warmup:
                    times[i].append(1000 * (time.perf_counter() - start))
    return [float(np.median(t)) for t in times]


# ------------------------------------------------------------------------------------------------------------- main


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.path.join(HERE, "../../../../shared/data/celeba"))
    parser.add_argument("--task", default="gender", help="a binary task of dataset.json")
    parser.add_argument("--label", help="label column in place of the task's")
    parser.add_argument("--limit", type=int, help="at most so many pictures, drawn by seed")
    parser.add_argument("--gamma", type=float, default=0.1)
    parser.add_argument("--rmse", choices=["train", "heldout"], default="heldout")
    parser.add_argument("--min-filters", type=int, default=4)
    parser.add_argument("--reconstruct", choices=["none", "pooled", "sequential"], default="sequential")
    parser.add_argument("--reconstruct-images", type=int, default=400)
    parser.add_argument("--tol", type=float, default=1e-6, help="duality gap of the LASSO, relative to y'y")
    parser.add_argument("--epochs", type=int, default=4, help="of the pruned network")
    parser.add_argument("--baseline-epochs", type=int, default=2)
    parser.add_argument(
        "--learning-rate", dest="lr", default="1e-4,5e-4", help="one rate, or candidates: validation picks"
    )
    parser.add_argument("--distill", type=float, default=0.2, help="weight of the feature distance, 0 = off")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    options.lr = [float(rate) for rate in options.lr.split(",")]
    return options


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(options.seed)
    seconds, clock = {}, time.perf_counter()

    def lap(stage):
        nonlocal clock
        now = time.perf_counter()
        seconds[stage] = round(seconds.get(stage, 0) + now - clock, 3)
        clock = now
        print(f"{stage}: {seconds[stage]} s", file=sys.stderr)

    images, y, split, identity = read_data(
        options.data, options.label, options.threads, options.task, options.limit, options.seed
    )
    split = cut_validation(split, identity, 0.15, options.seed)
    part = {name: (images[split == name], y[split == name]) for name in ("train", "val", "test")}
    network = load_face_resnet()
    lap("data")

    train_y = part["train"][1].astype(np.float64)
    pooled = harvest(network, part["train"][0])
    last = "conv256_down_out/conv2"
    features = with_mirrored(network, part["train"][0], pooled[last], train_y, options.seed)
    lap("harvest")
    folds = None
    if options.rmse == "heldout":
        folds = deal_folds(identity, np.flatnonzero(split == "train"), 5, options.seed)
    knees = {tap: knee(x, train_y, options, folds) for tap, x in pooled.items()}
    lap("path")

    kept = select(knees)
    small = cut(network, kept, None if options.reconstruct == "none" else pooled)
    if options.reconstruct == "sequential":
        rows = np.random.default_rng(options.seed).permutation(len(train_y))[: options.reconstruct_images]
        refit(network, small, kept, part["train"][0][np.sort(rows)], seed=options.seed)
    plain = features_of(small, part["train"][0])
    solve_head(small, *with_mirrored(small, part["train"][0], plain, train_y, options.seed))
    lap("surgery")

    teacher = None
    if options.distill:
        mirrored = features_of(network, np.ascontiguousarray(part["train"][0][:, :, ::-1]))
        teacher = torch.from_numpy(np.stack([pooled[last], mirrored])[:, :, kept[last]]).float()
    start = score(small, *part["val"])[1]
    finetune(small, part["train"], part["val"], options, options.epochs, teacher)
    lap("finetune")

    solve_head(network, *features)
    probe = copy.deepcopy(network)
    start_baseline = score(network, *part["val"])[1]
    finetune(network, part["train"], part["val"], options, options.baseline_epochs)
    lap("baseline")

    rows, probed = {}, [score(probe, *part[name])[1] for name in ("test", "val")]
    times = latency([network, small])
    for name, one, ms in (("baseline", network, times[0]), ("pruned", small, times[1])):
        macs, params = cost(one)
        rows[name] = {
            "accuracy": score(one, *part["test"])[1], "validation": score(one, *part["val"])[1],
            "macs": macs, "params": params, "bytes": 4 * params, "cpuMs": round(ms, 3),
        }  # fmt: skip
    lap("evaluate")
    seconds["total"] = round(sum(seconds.values()), 3)
    print(
        json.dumps(
            {
                "task": options.task, "gamma": options.gamma, "seed": options.seed, "threads": options.threads,
                "dataset": {name: len(labels) for name, (_, labels) in part.items()},
                **rows, "start": {"pruned": start, "baseline": start_baseline}, "probe": probed,
                "reduction": {k: rows["pruned"][k] / rows["baseline"][k] for k in ("macs", "params", "cpuMs")},
                "seconds": seconds,
            }  # fmt: skip
        )
    )


if __name__ == "__main__":
    main()
