"""The networks of this folder as a user of PyTorch would write them: seconds an epoch on the GPU, as lines of JSON.

    python3 peers.py MNIST_FOLDER [FORM...]        eager, compiled, graphs; all unless said

Each in eager form, compiled, and compiled with CUDA graphs. The data lies on the GPU and batches are gathered
there, as burnlab does. Products are what PyTorch makes of them by default (f32), convolutions too (tf32).
"""

import gzip
import json
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

DEVICE = torch.device("cuda")
EPOCHS = 4


def mnist(folder, count):
    images = gzip.decompress((Path(folder) / "train-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((Path(folder) / "train-labels-idx1-ubyte.gz").read_bytes())
    images = torch.frombuffer(bytearray(images[16:]), dtype=torch.uint8).view(-1, 1, 28, 28)
    labels = torch.frombuffer(bytearray(labels[8:]), dtype=torch.uint8)
    return (images[:count].float() / 255).to(DEVICE), labels[:count].long().to(DEVICE)


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(64, 128, 3, stride=2, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1152, 128), nn.ReLU(), nn.Linear(128, 10),
    )


def better_cnn():
    def conv(channels, filters, stride):
        return [nn.ZeroPad2d((1, 2, 1, 2) if stride == 1 else (1, 1, 1, 1)),
                nn.Conv2d(channels, filters, 4, stride=stride, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]

    return nn.Sequential(
        nn.BatchNorm2d(1), *conv(1, 16, 1), *conv(16, 32, 2), nn.MaxPool2d(2), *conv(32, 64, 2), nn.Flatten(),
        nn.LazyLinear(200), nn.ReLU(), nn.Dropout(0.5), nn.Linear(200, 100), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(100, 10),
    )


class Unit(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.one = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.two = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(filters), nn.BatchNorm2d(filters)])
        self.side = nn.Identity()
        if stride > 1:
            self.side = nn.Sequential(nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x):
        y = self.norms[1](self.two(F.relu(self.norms[0](self.one(x)))))
        return F.relu(y + self.side(x))


def resnet_20():
    units, channels = [], 16
    for filters in (16, 32, 64):
        for number in range(3):
            units.append(Unit(channels, filters, 2 if filters > 16 and number == 0 else 1))
            channels = filters
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *units,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 500), nn.ELU(), nn.Linear(500, 500), nn.ELU(), nn.Linear(500, 40))
        self.decoder = nn.Sequential(
            nn.Linear(20, 500), nn.ELU(), nn.Linear(500, 500), nn.ELU(), nn.Linear(500, 784))

    def forward(self, x):
        mean, gamma = self.encoder(x).chunk(2, 1)
        code = mean + torch.exp(0.5 * gamma) * torch.randn_like(mean)
        return self.decoder(code), mean, gamma


def classify(model, x, y):
    return F.cross_entropy(model(x), y)


def reconstruct(model, x, _):
    logits, mean, gamma = model(x)
    error = F.binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="sum")
    return (error + 0.5 * (gamma.exp() + mean**2 - 1 - gamma).sum()) / len(x)


def adam(model):
    return torch.optim.Adam(model.parameters(), 1e-3)


def sgd(model):
    return torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)


def epochs(make, loss_of, optimizer_of, x, y, batch, form):
    torch.manual_seed(0)
    model = make().to(DEVICE)
    with torch.no_grad():
        model(x[:2])
    optimizer = optimizer_of(model)
    loss = loss_of
    if form == "compiled":
        loss = torch.compile(loss_of)
    elif form == "graphs":
        loss = torch.compile(loss_of, mode="reduce-overhead")
    seconds = []
    for _ in range(EPOCHS):
        torch.cuda.synchronize()
        start = time.perf_counter()
        order = torch.randperm(len(x), device=DEVICE)
        total = torch.zeros((), device=DEVICE)
        # The last batch may be smaller, which would compile the network once more.
        for first in range(0, len(x) - batch + 1, batch):
            chosen = order[first:first + batch]
            optimizer.zero_grad(set_to_none=True)
            value = loss(model, x[chosen], y[chosen])
            value.backward()
            optimizer.step()
            total += value.detach()
        total.item()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def main(folder, *forms):
    digits, labels = mnist(folder, 60000)
    random = torch.rand(12800, 3, 32, 32, device=DEVICE)
    classes = torch.randint(0, 10, (12800,), device=DEVICE)
    works = {
        "lenet": (lenet, classify, adam, digits[:20000], labels[:20000], 100),
        "better-cnn": (better_cnn, classify, adam, digits, labels, 100),
        "resnet-20": (resnet_20, classify, sgd, random, classes, 128),
        "vae": (Vae, reconstruct, adam, digits, labels, 150),
    }
    found = {"torch": torch.__version__, **{name: {} for name in works}}
    for form in forms or ("eager", "graphs", "compiled"):
        for name, work in works.items():
            try:
                found[name][form] = epochs(*work, form)
            except Exception as error:  # a compiler that is not there, say
                print(f"{name}, {form}: {error}"[:300], file=sys.stderr)
            # So far: compiling takes minutes, and whoever waits may not wait for all.
            print(json.dumps(found), flush=True)


main(*sys.argv[1:])
