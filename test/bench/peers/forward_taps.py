"""Forward passes in PyTorch eager with a hook on every activation, for test/bench/forward-taps.ts.

Prints one JSON line: version and number of hooks. Then reads one line at a time, `STEPS`, and answers with the
milliseconds of each forward pass; the hooks take the global average of what they see, as a harvest does.
Usage: forward_taps.py NETWORK BATCH THREADS LAYOUT     (NETWORK: face-resnet, vgg16, resnet50; LAYOUT: nchw, nhwc)
"""

import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    """Two convolutions and a shortcut; halves the map where `down`."""

    def __init__(self, inputs, outputs, down):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=2 if down else 1, padding=0 if down else 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.down = down

    def forward(self, x):
        main = self.conv2(self.relu(self.conv1(x)))
        if self.down:
            x = F.avg_pool2d(x, 2)
            short, wider = x.shape[2] - main.shape[2], main.shape[1] - x.shape[1]
            if short:
                main = F.pad(main, (0, short, 0, short))
            if wider:
                x = F.pad(x, (0, 0, 0, 0, 0, wider))
        return self.relu(main + x)


class FaceResnet(nn.Module):
    """The 29-convolution dlib / face-api network, 150 x 150, scale layers folded into the convolutions."""

    def __init__(self):
        super().__init__()
        layers, width = [nn.Conv2d(3, 32, 7, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)], 32
        for outputs, count, down in [(32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True)]:
            for i in range(count):
                layers.append(Block(width, outputs, down and i == 0))
                width = outputs
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(256, 1)

    def forward(self, x):
        return self.head(self.trunk(x).mean((2, 3)))


def build(name):
    if name == "face-resnet":
        return FaceResnet(), 150
    from torchvision import models

    return (models.vgg16(num_classes=1) if name == "vgg16" else models.resnet50(num_classes=1)), 224


def main():
    name, batch, threads, layout = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    torch.set_flush_denormal(True)
    net, side = build(name)
    net.eval()
    x = torch.randn(batch, 3, side, side)
    if layout == "nhwc":
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    pooled = []

    def take(_module, _inputs, output):
        if output.dim() == 4:
            pooled.append(output.mean((2, 3)))

    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(take)
    with torch.inference_mode():
        net(x)
        print(json.dumps({"torch": torch.__version__, "taps": len(pooled)}), flush=True)
        for line in sys.stdin:
            times = []
            for _ in range(int(line)):
                pooled.clear()
                start = time.perf_counter()
                net(x)
                times.append((time.perf_counter() - start) * 1e3)
            print(json.dumps(times), flush=True)


main()
