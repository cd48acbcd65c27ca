"""Gives burnlab's twins of torchvision's networks the weights of these and compares the logits.

    zoo.py BURNLAB [NAME ...]       of all networks, or of those named

The weights are torchvision's own first ones, with statistics of a batch: nothing is downloaded.
"""

import csv
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision import models

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

FILES = {
    "alexnet": "alexnet",
    "vgg16": "vgg-16",
    "googlenet": "googlenet",
    "resnet18": "resnet-18",
    "resnet50": "resnet-50",
    "resnet152": "resnet-152",
}
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
SCALES = {"googlenet": ([0.5] * 3, [0.5] * 3)}
CLASSES, COUNT, TOLERANCE = 1000, 2, 1e-4


def network(name):
    """With statistics that are none of the first ones."""
    torch.manual_seed(7)
    arguments = {"aux_logits": True, "init_weights": True} if name == "googlenet" else {}
    model = getattr(models, name)(**arguments)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.2)
    if norms:
        with torch.no_grad():
            model.train()(torch.randn(4, 3, 224, 224))
    return model.eval()


def logits_of(model, pixels):
    """The last layer is brought to where logits spread by 1, so that the tolerance tells for every network."""
    last = model.classifier[-1] if hasattr(model, "classifier") else model.fc
    with torch.no_grad():
        spread = model(pixels).std(1).mean()
        for parameter in last.parameters():
            parameter /= spread
        return model(pixels)


def images(folder):
    torch.manual_seed(8)
    pixels = nn.functional.interpolate(torch.rand(COUNT, 3, 28, 28), size=224, mode="bilinear")
    pixels = (pixels * 255).round().to(torch.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{number}.png")
    return pixels.float() / 255


def received(burnlab, name, weights, folder, naming):
    command = [burnlab, "predict", f"architectures/{FILES[name]}", "torchvision", folder, "--weights", weights]
    command += ["--map", "torchvision", "--csv", "--top", str(CLASSES), *naming]
    answer = subprocess.run(list(map(str, command)), check=True, text=True, capture_output=True).stdout
    logarithms = torch.zeros(COUNT, CLASSES)
    for row in csv.DictReader(io.StringIO(answer)):
        number = int(Path(row["image"]).stem)
        for end in ["", *(f"_{place}" for place in range(2, CLASSES + 1))]:
            logarithms[number, int(row["class" + end])] = torch.tensor(float(row["probability" + end])).log()
    return logarithms


def of_export(burnlab, name, weights, folder, naming, pixels):
    """The logits of the same network as an ONNX file, where onnxruntime is there to compute them."""
    if onnxruntime is None:
        return None
    path = folder / f"{name}.onnx"
    command = [burnlab, "export", f"architectures/{FILES[name]}", "torchvision", "--layout", "onnx", "-o", path]
    command += ["--weights", weights, "--map", "torchvision", *naming]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    network = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    [logits] = network.run(["logits"], {"images": pixels.numpy()})
    return torch.tensor(logits)


def compare(burnlab, name, folder):
    model, pixels = network(name), images(folder)
    mean, deviation = (torch.tensor(values)[:, None, None] for values in SCALES.get(name, IMAGENET))
    logits = logits_of(model, (pixels - mean) / deviation)
    state = model.state_dict()
    # As a model is kept that several GPUs trained.
    naming = ["--strip", "module."] if name == "resnet18" else []
    state = {f"module.{key}" if naming else key: value.contiguous() for key, value in state.items()}
    weights = folder / f"{name}.safetensors"
    save_file(state, weights)
    logarithms = received(burnlab, name, weights, folder, naming)
    exported = of_export(burnlab, name, weights, folder, naming, pixels)
    weights.unlink()
    # Probabilities say the logits up to a sum.
    difference = (logarithms - torch.log_softmax(logits.double(), 1)).abs().max().item()
    assert difference < TOLERANCE, f"{name}: logits differ by {difference}"
    apart = (logits[0] - logits[1]).abs().max().item()
    if exported is not None:
        difference = max(difference, (exported - logits).abs().max().item())
        assert difference < TOLERANCE, f"{name}: logits of the ONNX file differ by {difference}"
    print(f"{name}: logits of two images, {apart:.2f} apart, differ by {difference:.1e} at most")


def main(burnlab, *names):
    for name in names or FILES:
        with tempfile.TemporaryDirectory() as folder:
            compare(burnlab, name, Path(folder))


main(*sys.argv[1:])
