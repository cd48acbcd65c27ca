"""Runs what burnlab writes as ONNX by onnxruntime and compares the outputs with PyTorch's.

    check.py FILES [--accept]       FILES: a folder with a file for each network of ../torch/cases.toml, as the test
                                    `networks_are_written_as_onnxruntime_has_checked_them` leaves them; --accept keeps
                                    their sums in checked.txt, which the test compares with
    check.py --run BURNLAB RESULTS  trains models.toml, exports its models and compares them with `predict`,
                                    `encode`, `reconstruct`
"""

import csv
import gzip
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

HERE = Path(__file__).resolve().parent
ANSWERS = HERE.parent / "torch" / "answers"
CHECKED = HERE / "checked.txt"
IMAGES = "data/mnist/t10k-images-idx3-ubyte.gz"
TOLERANCE, COUNT = 1e-4, 50


def session(path):
    onnx.checker.check_model(str(path), full_check=True)
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def difference(received, expected):
    assert received.shape == expected.shape, f"{received.shape} for {expected.shape}"
    return (np.abs(received - expected) / np.maximum(1.0, np.abs(expected))).max(initial=0.0)


def of_case(path):
    """The largest difference from the answers, for the batch and for its first sample alone."""
    answers = load_file(ANSWERS / f"network.{path.stem}.safetensors")
    network, largest = session(path), 0.0
    for end in [None, 1]:
        given = {"images": answers["input"][:end]}
        if any(wanted.name == "label" for wanted in network.get_inputs()):
            given["label"] = answers["targets"].astype("int64")[:end]
        [output] = network.run(["output"], given)
        largest = max(largest, difference(output, answers["inference.output"][:end]))
    return largest


def cases(folder, accept):
    files, wrong, largest = sorted(Path(folder).glob("*.onnx")), [], 0.0
    expected = {path.name for path in ANSWERS.glob("network.*")}
    assert {f"network.{path.stem}.safetensors" for path in files} == expected, "a file for each case"
    for path in files:
        try:
            off = of_case(path)
        except Exception as error:
            wrong.append(f"{path.name}: {error}")
            continue
        largest = max(largest, off)
        if not off <= TOLERANCE:
            wrong.append(f"{path.name}: off by {off:.1e}, allowed {TOLERANCE}")
    if wrong:
        sys.exit("\n".join(f"error: {line}" for line in wrong))
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stem}\n" for path in files)
    if accept:
        CHECKED.write_text(sums)
    elif CHECKED.read_text() != sums:
        sys.exit("error: checked.txt is of other files: run check.py with --accept")
    print(f"{len(files)} networks, onnxruntime's outputs differ from PyTorch's by {largest:.1e} at most")


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def models(burnlab, results):
    experiment = str(HERE / "models.toml")

    def burn(command, *arguments):
        command = [burnlab, command, *arguments, "--results", results]
        return subprocess.run(command, check=True, text=True, capture_output=True).stdout

    def exported(variant):
        path = Path(results) / f"{variant}.onnx"
        burn("export", experiment, variant, "--layout", "onnx", "-o", str(path))
        kept = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        assert json.loads(kept["classes"]) == [str(digit) for digit in range(10)], kept
        return session(path)

    burn("run", experiment, "--quiet")
    with gzip.open(IMAGES) as file:
        file.seek(16)
        pixels = np.frombuffer(file.read(784 * COUNT), dtype="uint8")
    pixels = pixels.reshape(COUNT, 1, 28, 28).astype("float32") / np.float32(255)

    [probabilities] = exported("reader").run(["probabilities"], {"images": pixels})
    received = np.zeros((COUNT, 10), "float32")
    for row in table(burn("predict", experiment, "reader", IMAGES, "--csv", "--top", "10")):
        number = int(row["image"].split("[")[1].rstrip("]"))
        if number < COUNT:
            for end in ["", *(f"_{place}" for place in range(2, 11))]:
                received[number, int(row["class" + end])] = float(row["probability" + end])
    print(f"reader: probabilities differ by {check(received, probabilities):.1e}")

    code, made = exported("painter").run(["code", "reconstruction"], {"images": pixels})
    rows = table(burn("encode", experiment, "painter", IMAGES, "--count", str(COUNT)))
    columns = [name for name in rows[0] if name.startswith("code_")]
    codes = np.array([[float(row[name]) for name in columns] for row in rows], "float32")
    print(f"painter: codes differ by {check(code.reshape(COUNT, -1), codes):.1e}")
    rows = table(burn("reconstruct", experiment, "painter", IMAGES, "--csv", "--count", str(COUNT)))
    expected = np.array([float(row["squared_error"]) for row in rows], "float32")
    received = ((made - pixels) ** 2).mean((1, 2, 3))
    print(f"painter: errors of reconstructions differ by {check(received, expected):.1e}")

    generator = exported("forger")
    [images] = generator.run(["images"], {"latent": np.zeros((3, 16), "float32"), "label": np.arange(3)})
    assert images.shape == (3, 1, 28, 28) and not np.allclose(images[0], images[1]), images.shape


def check(received, expected):
    off = difference(received, expected)
    assert off <= TOLERANCE, f"off by {off}"
    return off


if sys.argv[1] == "--run":
    models(*sys.argv[2:])
else:
    cases(sys.argv[1], "--accept" in sys.argv)
