"""Trains a work of `networks.py` and tells what it took, as a line of JSON.

    python benches/peers/twin.py WORK [--form eager|tuned|compiled|graphs] [--images N] [--epochs N] ...

The data lies on the device and batches are gathered there, as burnlab does. Compiling is told apart from training. With
several seeds or batch sizes it trains one network after the other, as a script with a loop.
"""

import argparse
import gzip
import json
import resource
import sys
import time
from pathlib import Path

import torch

from networks import WORKS

MEASURED = 500  # images at a time, as burnlab

# What `torch.compile` is told; `None`: not compiled.
COMPILED = {"eager": None, "tuned": {}, "compiled": {}, "graphs": {"mode": "reduce-overhead"}}


def idx(folder, name):
    """The bytes of an IDX file, plain or packed."""
    plain = Path(folder) / name
    content = plain.read_bytes() if plain.exists() else gzip.decompress(plain.with_name(name + ".gz").read_bytes())
    rank = content[3]
    sizes = [int.from_bytes(content[4 + 4 * axis:8 + 4 * axis], "big") for axis in range(rank)]
    return torch.frombuffer(bytearray(content[4 + 4 * rank:]), dtype=torch.uint8).view(sizes)


def images_of(folder, part, scale, count=None):
    name = f"{part}-images-idx3-ubyte"
    colored = not any((Path(folder) / (name + end)).exists() for end in ("", ".gz"))
    images = idx(folder, name.replace("idx3", "idx4") if colored else name)[:count]
    images = images if colored else images.unsqueeze(1)
    low, high = scale
    labels = idx(folder, f"{part}-labels-idx1-ubyte")[:count]
    return images.float() / 255 * (high - low) + low, labels.long()


class Training:
    """One network and its training."""

    def __init__(self, work, batch, seed, arguments):
        self.work, self.batch, self.device = work, batch, torch.device(arguments.device)
        self.shown = False
        torch.manual_seed(seed)
        form = arguments.form
        # Whatever has images in its layers takes them with the channels last.
        self.layout = torch.channels_last if form == "tuned" else torch.contiguous_format
        self.model = work.network().to(self.device, memory_format=self.layout)
        self.optimizer = work.optimizer(self.model.parameters(), **({"fused": True} if form == "tuned" else {}))
        self.loss = work.loss
        if COMPILED[form] is not None:
            self.loss = torch.compile(work.loss, dynamic=False, **COMPILED[form])

    def compile(self, x, y):
        """Each size of batch once, for training and for measuring."""
        sizes = {self.batch, len(x) % self.batch} - {0}
        for size in sizes:
            self.loss(self.model, x[:size], y[:size]).backward()
        self.optimizer.zero_grad()
        self.measure(x[:MEASURED], y[:MEASURED])

    def epoch(self, x, y):
        """The mean loss of an image."""
        order = torch.randperm(len(x), device=self.device) if self.work.shuffle else torch.arange(len(x), device=self.device)
        total = torch.zeros((), device=self.device)
        for first in range(0, len(x), self.batch):
            chosen = order[first:first + self.batch]
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss(self.model, x[chosen], y[chosen])
            (loss * len(chosen) if self.work.summed else loss).backward()
            self.optimizer.step()
            total += loss.detach() * len(chosen)
            if not self.shown:
                print("first step", flush=True)
                self.shown = True
        return total.item() / len(x)

    def measure(self, x, y):
        """The mean loss of an image, without gradients."""
        self.model.eval()
        total = torch.zeros((), device=self.device)
        with torch.no_grad():
            for first in range(0, len(x), MEASURED):
                images, labels = x[first:first + MEASURED], y[first:first + MEASURED]
                total += self.loss(self.model, images, labels) * len(images)
        self.model.train()
        return total.item() / len(x)


def train(work, batch, seed, arguments, data):
    x, y, test_x, test_y = data
    training = Training(work, batch, seed, arguments)
    start = time.perf_counter()
    if COMPILED[arguments.form] is not None:
        training.compile(x, y)
    compiling = time.perf_counter() - start
    epochs, test_loss = [], None
    tested = work.test_every_epoch or arguments.test_every_epoch
    for _ in range(arguments.epochs):
        start = time.perf_counter()
        loss = training.epoch(x, y)
        seconds = time.perf_counter() - start
        if tested:
            test_loss = training.measure(test_x, test_y)
        # As the columns of burnlab's table.
        epochs.append({"seconds": time.perf_counter() - start, "images_per_second": len(x) / seconds, "train_loss": loss})
    if not tested:
        test_loss = training.measure(test_x, test_y)
    parameters = sum(values.numel() for values in training.model.parameters())
    return {"batch": batch, "seed": seed, "compiling": compiling, "epochs": epochs, "test_loss": test_loss,
            "parameters": parameters}


def numbers(text):
    return [int(number) for number in text.split(",")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("--data", default="data/mnist", help="folder of IDX files")
    parser.add_argument("--form", choices=COMPILED, default="eager")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--images", type=int, help="the first ones of the training set [default: as the work's file]")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batches", type=numbers, help="batch sizes, one training each")
    parser.add_argument("--seeds", type=numbers, default=[0])
    parser.add_argument("--test-every-epoch", action="store_true")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    work = WORKS[arguments.work]
    data = [tensor.to(arguments.device) for part, count in (("train", arguments.images or work.images), ("t10k", None))
            for tensor in images_of(arguments.data, part, work.scale, count)]
    if arguments.form == "tuned":
        data = [tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor for tensor in data]
    runs = [train(work, batch, seed, arguments, data)
            for batch in arguments.batches or [work.batch] for seed in arguments.seeds]
    print(json.dumps({"torch": torch.__version__, "instructions": torch.backends.cpu.get_cpu_capability(), "runs": runs}))


main()
