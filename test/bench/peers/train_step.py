"""One training step (AdamW, cross-entropy) in PyTorch eager, for test/bench/train-step.ts.

Denormals are flushed, the optimiser works on all tensors at once and activations in place: without, PyTorch is slower.
Reads a number of steps a line; answers with one JSON line: [milliseconds, milliseconds of processor time] of each step.
Usage: train_step.py NETWORK BATCH THREADS LAYOUT      (NETWORK: face-resnet, vgg16, mobilenet-v2; LAYOUT: nchw, nhwc)
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


class FaceResnet(nn.Module):
    """The 29-convolution dlib / face-api network, 150 x 150, scale layers folded into the convolutions."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 32, 7, stride=2)
        blocks, channels = [], 32
        plan = [(32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True)]
        for outputs, count, down in plan:
            for i in range(count):
                stride = 2 if down and i == 0 else 1
                conv1 = nn.Conv2d(channels, outputs, 3, stride=stride, padding=0 if stride == 2 else 1)
                blocks.append(nn.ModuleList([conv1, nn.Conv2d(outputs, outputs, 3, padding=1)]))
                channels = outputs
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(256, 2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first(x), inplace=True), 3, 2)
        for conv1, conv2 in self.blocks:
            main = conv2(F.relu(conv1(x), inplace=True))
            short = x
            if conv1.stride[0] == 2:
                short = F.avg_pool2d(x, 2, 2)
                gap = short.shape[2] - main.shape[2]
                if gap > 0:
                    main = F.pad(main, (0, gap, 0, gap))
                wider = main.shape[1] - short.shape[1]
                if wider > 0:
                    short = F.pad(short, (0, 0, 0, 0, 0, wider))
            x = F.relu_(main + short)
        return self.head(x.mean((2, 3)))


def build(name):
    if name == "face-resnet":
        return FaceResnet(), 150
    import torchvision.models as models

    if name == "vgg16":
        return models.vgg16(num_classes=2), 224
    return models.mobilenet_v2(num_classes=2), 224


def main():
    name, batch, threads, layout = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(1)
    net, side = build(name)
    x = torch.randn(batch, 3, side, side)
    if layout == "nhwc":
        net = net.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    y = torch.arange(batch) % 2
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, foreach=True)
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start, cpu = time.perf_counter(), time.process_time()
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
            times.append([(time.perf_counter() - start) * 1e3, (time.process_time() - cpu) * 1e3])
        print(json.dumps(times), flush=True)


main()
