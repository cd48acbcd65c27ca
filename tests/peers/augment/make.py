"""What SciPy and Pillow make of digits, a texture and a picture: the answers that the image operations are held to.

    python make.py           writes answers.json (the cases) and answers.f32.gz (their pixels)
    python make.py --check   makes the answers anew and compares them with the committed ones

The digits are resampled with mode="constant", cval=0. A gray texture that reaches to the border is
resampled with mode="grid-constant", cval=0.25, because the operations, too, blend the outermost
pixels with the fill. Answers are clipped to [0, 1], as the operations clip theirs; splines overshoot.

Pillow changes the colors of a picture of 8 bits a value; hues are colorsys's. What operations draw by chance and
then do is given here: moves of an elastic distortion, corners of a perspective.
"""

import colorsys
import gzip
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from scipy import ndimage

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from kept import largest_difference, main, write_pixels  # noqa: E402

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
    return rounded(pixels.reshape(count, 1, 28, 28) / 255.0)


def texture():
    return rounded(np.random.default_rng(0).random((1, 1, 21, 30)))


def moves():
    """Pixels down and to the right before they are smoothed, [2, 1, height, width]."""
    return np.random.default_rng(1).uniform(-1, 1, (2, 1, 21, 30)).astype("<f4")


def photo():
    """A picture of 8 bits a value, [3, height, width], not all of its range in use."""
    y, x = np.mgrid[0:18, 0:25]
    red = 120 + 90 * np.sin(x / 3.0) * np.cos(y / 4.0)
    green = 20 + 7.0 * x
    blue = np.where((x - 12) ** 2 + (y - 8) ** 2 < 30, 210, 50) + y
    return np.stack([red, green, blue]).round().astype(np.uint8)


def eighths(values):
    """Steps of 255 as 32-bit numbers: not rounded, since the operations find the steps again."""
    return (values.astype(np.float64) / 255.0).astype("<f4")


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


def blur(image, sigma):
    return ndimage.gaussian_filter(image, sigma)


def hue(colors, degrees):
    """Of [3, height, width]; in the numbers from 0 to 1 that colorsys has."""
    def turn(red, green, blue):
        hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
        return colorsys.hsv_to_rgb((hue + degrees / 360.0) % 1.0, saturation, value)

    flat = (colors.reshape(3, -1) / 255.0).T
    turned = np.array([turn(*color) for color in flat])
    return turned.T.reshape(colors.shape)


def of_pillow(change):
    def changed(colors, **how):
        image = Image.fromarray(colors.transpose(1, 2, 0))
        return np.asarray(change(image, **how)).transpose(2, 0, 1) / 255.0

    return changed


COLORED = [
    ("saturation", of_pillow(lambda image, factor: ImageEnhance.Color(image).enhance(factor)), {"factor": factor})
    for factor in [0.0, 0.4, 1.7]
] + [
    ("sharpness", of_pillow(lambda image, factor: ImageEnhance.Sharpness(image).enhance(factor)), {"factor": factor})
    for factor in [0.0, 0.5, 2.5]
] + [
    ("posterize", of_pillow(lambda image, bits: ImageOps.posterize(image, bits)), {"bits": bits})
    for bits in [1, 3, 8]
] + [
    ("solarize", of_pillow(lambda image, threshold: ImageOps.solarize(image, 128)), {"threshold": 0.5}),
    ("invert", of_pillow(ImageOps.invert), {}),
    ("equalize", of_pillow(ImageOps.equalize), {}),
    ("autocontrast", of_pillow(ImageOps.autocontrast), {}),
    ("grayscale", of_pillow(lambda image: image.convert("L").convert("RGB")), {}),
] + [("hue", hue, {"degrees": degrees}) for degrees in [-150, 30, 120]]


def elastic(image, moves, alpha, sigma):
    down, right = (alpha * ndimage.gaussian_filter(move, sigma) for move in moves)
    rows, columns = np.mgrid[0:image.shape[0], 0:image.shape[1]]
    return sampled(image, [rows + down, columns + right])


def perspective(image, corners):
    """The image with its corners (top left, top right, bottom right, bottom left) where these are, [row, column]."""
    bottom, right = np.array(image.shape) - 1.0
    lines, values = [], []
    for (row, column), target in zip(corners, [(0, 0), (0, right), (bottom, right), (bottom, 0)]):
        for axis in range(2):
            own = [row, column, 1.0]
            lines.append((own if axis == 0 else [0, 0, 0]) + (own if axis == 1 else [0, 0, 0])
                         + [-target[axis] * row, -target[axis] * column])
            values.append(target[axis])
    a, b, c, d, e, f, g, h = np.linalg.solve(np.array(lines), np.array(values))
    rows, columns = np.mgrid[0:image.shape[0], 0:image.shape[1]]
    depth = g * rows + h * columns + 1.0
    return sampled(image, [(a * rows + b * columns + c) / depth, (d * rows + e * columns + f) / depth])


def sampled(image, places):
    return ndimage.map_coordinates(image, places, order=1, mode="grid-constant", cval=0.25)


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
    colors = photo()
    inputs = {"digits": digits(10), "moves": moves(), "photo": eighths(colors)[None], "texture": texture()}
    cases, pixels = [], list(inputs.values())

    def add(name, function, fields, how):
        spec = {function.__name__: fields}
        made = [[function(image[0].astype(float), **how)] for image in inputs[name]]
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
        for border, mode in [("nearest", "nearest"), ("reflect", "reflect"), ("mirror", "mirror"), ("wrap", "grid-wrap")]:
            how = {"order": 1, "mode": mode}
            said = {"interpolation": "bilinear", "border": border}
            add("texture", function, fields | said, fields | how)
    for function, fields in FLIPPED:
        for name in ["digits", "texture"]:
            add(name, function, fields, fields)
    for sigma in [0.3, 1.0, 4.5]:
        add("texture", blur, {"sigma": sigma}, {"sigma": sigma})
    for name, function, fields in COLORED:
        cases.append({"images": "photo", "operation": {name: fields}})
        pixels.append(function(colors, **fields).astype("<f4"))

    image, fields = inputs["texture"][0, 0].astype(float), {"interpolation": "bilinear", "fill": 0.25}
    for how in [{"alpha": 8.0, "sigma": 1.0}, {"alpha": 60.0, "sigma": 4.0}]:
        cases.append({"images": "texture", "operation": {"elastic": how | fields}, "drawn": "moves"})
        pixels.append(rounded(elastic(image, inputs["moves"][:, 0].astype(float), **how)))
    for corners in [[[2, 3], [0, 25], [20, 29], [15, 1]], [[8, 10], [5, 16], [14, 18], [18, 9]]]:
        cases.append({"images": "texture", "operation": {"perspective": fields}, "drawn": corners})
        pixels.append(rounded(perspective(image, corners)))

    index = {
        "images": {name: list(images.shape) for name, images in inputs.items()},
        "cases": cases,
    }
    return index, np.concatenate([part.ravel() for part in pixels])


def check(index, pixels):
    largest = largest_difference(INDEX, PIXELS, index, pixels, "SciPy and Pillow", TOLERANCE)
    print(f"{len(index['cases'])} cases agree, largest difference {largest:.1e}")


def write(index, pixels):
    shapes = json.dumps(index["images"])
    cases = ",\n".join("    " + json.dumps(case) for case in index["cases"])
    INDEX.write_text(f'{{\n  "images": {shapes},\n  "cases": [\n{cases}\n  ]\n}}\n')
    print(f"{len(index['cases'])} cases, {write_pixels(PIXELS, pixels)} bytes of pixels")


if __name__ == "__main__":
    main(__doc__, check, write, answers)
