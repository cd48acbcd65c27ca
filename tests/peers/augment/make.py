"""What SciPy makes of the first MNIST digits: the answers that the image operations are held to.

    python make.py           writes answers.json (the cases) and answers.f32.gz (their pixels)
    python make.py --check   makes the answers anew and compares them with the committed ones

The digits are resampled with mode="constant", cval=0. A grey texture that reaches to the border is
resampled with mode="grid-constant", cval=0.25, because the operations, too, blend the outermost
pixels with the fill. Answers are clipped to [0, 1], as the operations clip theirs; splines overshoot.
"""

import argparse
import gzip
import json
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

HERE = Path(__file__).resolve().parent
DIGITS = HERE.parents[2] / "data" / "mnist" / "train-images-idx3-ubyte.gz"
INDEX = HERE / "answers.json"
PIXELS = HERE / "answers.f32.gz"
ORDERS = {"nearest": 0, "bilinear": 1, "bicubic": 3}
STEP = 2.0**-20  # pixels are rounded to this, so that the file stays small
TOLERANCE = 1e-6


def rounded(pixels):
    return (np.round(np.clip(pixels, 0.0, 1.0) / STEP) * STEP).astype("<f4")


def digits(count):
    with gzip.open(DIGITS) as file:
        header = np.frombuffer(file.read(16), ">u4")
        assert list(header) == [2051, 60000, 28, 28], f"{DIGITS} holds no MNIST images"
        pixels = np.frombuffer(file.read(count * 28 * 28), np.uint8)
    return rounded(pixels.reshape(count, 28, 28) / 255.0)


def texture():
    return rounded(np.random.default_rng(0).random((1, 21, 30)))


def about_centre(image, matrix, **how):
    """affine_transform with the image's centre, (size - 1) / 2 on each axis, staying where it is."""
    centre = (np.array(image.shape) - 1) / 2
    matrix = np.array(matrix)
    return ndimage.affine_transform(image, matrix, offset=centre - matrix @ centre, **how)


def rotate(image, degrees, **how):
    return ndimage.rotate(image, degrees, reshape=False, **how)


def zoom(image, factor, **how):
    """Not ndimage.zoom, which changes the size and lays corner on corner."""
    return about_centre(image, [[1 / factor, 0], [0, 1 / factor]], **how)


def shift(image, x=0, y=0, **how):
    return ndimage.shift(image, [y, x], **how)


def shear(image, degrees, axis="x", **how):
    """Leans lines the way rotate turns them: one of the two slopes of its matrix."""
    slope = np.tan(np.radians(degrees))
    matrix = [[1, 0], [-slope, 1]] if axis == "x" else [[1, slope], [0, 1]]
    return about_centre(image, matrix, **how)


def flip(image, direction):
    axes = {"horizontal": [1], "vertical": [0], "both": [0, 1]}
    return np.flip(image, axes[direction])


RESAMPLED = [
    (rotate, {"degrees": 10}),
    (rotate, {"degrees": -10}),
    (rotate, {"degrees": 90}),
    (zoom, {"factor": 0.8}),
    (zoom, {"factor": 0.95}),
    (zoom, {"factor": 1.05}),
    (zoom, {"factor": 1.5}),
    (shift, {"x": 3, "y": -2}),
    (shift, {"x": 0.3, "y": -1.6}),
    (shear, {"degrees": 10}),
    (shear, {"degrees": -10, "axis": "y"}),
]
FLIPPED = [(flip, {"direction": name}) for name in ["horizontal", "vertical", "both"]]


def answers():
    """The cases as the JSON tells them, and their pixels one after another, the inputs first."""
    inputs = {"digits": digits(10), "texture": texture()}
    cases, pixels = [], list(inputs.values())

    def add(name, function, fields, how):
        spec = {function.__name__: fields}
        made = [function(image.astype(float), **how) for image in inputs[name]]
        cases.append({"images": name, "operation": spec})
        pixels.append(rounded(np.stack(made)))

    for function, fields in RESAMPLED:
        for interpolation, order in ORDERS.items():
            how = {"order": order, "mode": "constant", "cval": 0.0}
            add("digits", function, fields | {"interpolation": interpolation}, fields | how)
        for interpolation in ["nearest", "bilinear"]:
            how = {"order": ORDERS[interpolation], "mode": "grid-constant", "cval": 0.25}
            said = {"interpolation": interpolation, "fill": 0.25}
            add("texture", function, fields | said, fields | how)
    for function, fields in FLIPPED:
        for name in inputs:
            add(name, function, fields, fields)

    index = {
        "images": {name: list(images.shape) for name, images in inputs.items()},
        "cases": cases,
    }
    return index, np.concatenate([part.ravel() for part in pixels])


def check(index, pixels):
    kept_index = json.loads(INDEX.read_text())
    if kept_index != index:
        sys.exit(f"error: {INDEX.name} holds other cases than this script: run it without --check")
    kept = np.frombuffer(gzip.decompress(PIXELS.read_bytes()), "<f4")
    if kept.shape != pixels.shape:
        sys.exit(f"error: {PIXELS.name} holds {kept.size} values, expected {pixels.size}")
    largest = np.abs(kept.astype(float) - pixels.astype(float)).max()
    if not largest <= TOLERANCE:
        sys.exit(f"error: {PIXELS.name} differs from SciPy by up to {largest:.1e}, allowed {TOLERANCE}")
    print(f"{len(index['cases'])} cases agree, largest difference {largest:.1e}")


def write(index, pixels):
    shapes = json.dumps(index["images"])
    cases = ",\n".join("    " + json.dumps(case) for case in index["cases"])
    INDEX.write_text(f'{{\n  "images": {shapes},\n  "cases": [\n{cases}\n  ]\n}}\n')
    PIXELS.write_bytes(gzip.compress(pixels.tobytes(), 9, mtime=0))
    print(f"{len(index['cases'])} cases, {PIXELS.stat().st_size} bytes of pixels")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    (check if parser.parse_args().check else write)(*answers())
