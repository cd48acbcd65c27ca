"""Exports a trained run, loads it with PyTorch's load_state_dict and compares the probabilities.

    load.py BURNLAB RESULTS         trains export.toml beside this file below RESULTS
"""

import csv
import io
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

HERE = Path(__file__).parent
IMAGES = "data/mnist/t10k-images-idx3-ubyte.gz"
COUNT = 200


class Unit(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv2d_1 = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        return x + self.conv2d_1(x)


class Twin(nn.Module):
    """The network of export.toml, its modules called as the file's layers."""

    def __init__(self):
        super().__init__()
        self.conv2d_1 = nn.Conv2d(1, 8, 3, stride=2)
        self.batch_normalization_1 = nn.BatchNorm2d(8)
        self.unit = Unit()
        self.lstm_1 = nn.LSTM(52, 16, batch_first=True)
        self.gru_1 = nn.GRU(16, 16, batch_first=True)
        self.layer_normalization_1 = nn.LayerNorm(16)
        self.dense_1 = nn.Linear(16, 20)
        self.out = nn.Linear(20, 10)

    def forward(self, x):
        x = self.unit(self.batch_normalization_1(torch.relu(self.conv2d_1(x))))
        x, _ = self.lstm_1(x.reshape(-1, 26, 52))
        x, _ = self.gru_1(x)
        x = self.layer_normalization_1(x[:, -1])
        return self.out(torch.tanh(self.dense_1(x)))


def images():
    import gzip

    with gzip.open(IMAGES) as file:
        file.seek(16)
        pixels = torch.frombuffer(bytearray(file.read(784 * COUNT)), dtype=torch.uint8)
    return pixels.reshape(COUNT, 1, 28, 28).float() / 255


def main(burnlab, results):
    def run(*arguments):
        command = [burnlab, *arguments, "--results", results]
        return subprocess.run(command, check=True, text=True, capture_output=True).stdout

    experiment = str(HERE / "export.toml")
    run("run", experiment, "--quiet")
    file = str(Path(results) / "export.safetensors")
    run("export", experiment, "--layout", "pytorch", "-o", file)
    twin = Twin()
    # Only batch normalization's count of batches, which burnlab has no use for, may be missing.
    missing, unexpected = twin.load_state_dict(load_file(file), strict=False)
    assert not unexpected and set(missing) <= {"batch_normalization_1.num_batches_tracked"}, (missing, unexpected)
    expected = torch.softmax(twin.eval()(images()), 1)

    rows = csv.DictReader(io.StringIO(run("predict", experiment, IMAGES, "--csv", "--top", "10")))
    received = torch.zeros(COUNT, 10)
    for row in rows:
        number = int(row["image"].split("[")[1].rstrip("]"))
        if number < COUNT:
            for end in ["", *(f"_{place}" for place in range(2, 11))]:
                received[number, int(row["class" + end])] = float(row["probability" + end])
    difference = (received - expected).abs().max().item()
    assert difference < 1e-4, f"probabilities differ by {difference}"
    print(f"{COUNT} images: PyTorch's probabilities differ by {difference:.1e} at most")


main(*sys.argv[1:])
