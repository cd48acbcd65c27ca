"""What torchvision makes of a texture, a picture and all shades: the answers that the image operations are held to.

    python augment.py           writes augment.json (the cases) and augment.f32.gz (their pixels)
    python augment.py --check   makes the answers anew and compares them with the committed ones

Operations are computed of numbers from 0 to 1 where torchvision takes them, and of 8 bits a value where it wants
these (posterize, equalize) and in the policies, RandAugment and TrivialAugmentWide, which people give such images.
What is drawn by chance is given with each case.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torchvision.transforms import ElasticTransform, RandAugment, RandomErasing, RandomPerspective
from torchvision.transforms import RandomResizedCrop, TrivialAugmentWide
from torchvision.transforms import autoaugment
from torchvision.transforms import functional as F
from torchvision.transforms.functional import InterpolationMode

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from kept import largest_difference, main, write_pixels  # noqa: E402

INDEX = HERE / "augment.json"
PIXELS = HERE / "augment.f32.gz"
STEP = 2.0**-20  # pixels are rounded to this, so that the file stays small
TOLERANCE = 1e-5
DRAWS = 4000
MODES = {
    "nearest": InterpolationMode.NEAREST,
    "bilinear": InterpolationMode.BILINEAR,
}
# Of a change of size: torchvision's own nearest is that of no other program.
RESIZED = {
    "nearest": InterpolationMode.NEAREST_EXACT,
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
}
# Of what moves an operation's pixels beside the image, by the names that burnlab has.
BORDERS = {"constant": "constant", "nearest": "edge", "reflect": "symmetric", "mirror": "reflect"}


def texture():
    """Numbers from 0 to 1, [1, 21, 29]. Odd sides: no pixel lies just between two others when it is turned."""
    return (np.random.default_rng(2).random((1, 21, 29)) / STEP).round() * STEP


def photo():
    """8 bits a value, [3, 17, 25], not all of their range in use."""
    y, x = np.mgrid[0:17, 0:25]
    red = 120 + 90 * np.sin(x / 3.0) * np.cos(y / 4.0)
    green = 20 + 7.0 * x
    blue = np.where((x - 12) ** 2 + (y - 8) ** 2 < 30, 210, 50) + y
    return np.stack([red, green, blue]).round() / 255.0


def shades():
    """All values of 8 bits, [1, 16, 16], in no order."""
    return np.random.default_rng(3).permutation(256).reshape(1, 16, 16) / 255.0


def moves():
    """Pixels down and to the right, [2, 1, 21, 29]."""
    y, x = np.mgrid[0:21, 0:29]
    down = 3.0 * np.sin(x / 4.0 + 0.3) + 0.1 * y
    right = 2.5 * np.cos(y / 3.0 + 0.2) - 0.07 * x
    return (np.stack([down, right])[:, None] / STEP).round() * STEP


IMAGES = {"texture": texture(), "photo": photo(), "shades": shades()}


def image(name):
    return torch.tensor(IMAGES[name], dtype=torch.float32)


def bytes_of(name):
    return (image(name) * 255).round().to(torch.uint8)


def affine(image, angle=0.0, translate=(0, 0), scale=1.0, shear=(0.0, 0.0), **how):
    return F.affine(image, angle, list(translate), scale, list(shear), **how)


def shear(image, degrees, axis="x", **how):
    """Upright lines lean to the left where degrees are positive, lying ones up on the right."""
    return affine(image, shear=(-degrees, 0.0) if axis == "x" else (0.0, degrees), **how)


MOVED = [
    ("rotate", {"degrees": 10}, lambda image, **how: F.rotate(image, 10, **how)),
    ("rotate", {"degrees": -37}, lambda image, **how: F.rotate(image, -37, **how)),
    ("rotate", {"degrees": 90}, lambda image, **how: F.rotate(image, 90, **how)),
    ("zoom", {"factor": 0.7}, lambda image, **how: affine(image, scale=0.7, **how)),
    ("zoom", {"factor": 1.3}, lambda image, **how: affine(image, scale=1.3, **how)),
    ("shift", {"x": 3, "y": -2}, lambda image, **how: affine(image, translate=(3, -2), **how)),
    ("shear", {"degrees": 11}, lambda image, **how: shear(image, 11, **how)),
    ("shear", {"degrees": -8, "axis": "y"}, lambda image, **how: shear(image, -8, "y", **how)),
]
RECTANGLES = [([0, 0], [21, 29]), ([3, 5], [10, 21]), ([13, 20], [8, 9]), ([7, 2], [1, 2])]


def blur(image, sigma):
    """torchvision's mirrors the image without its outermost pixels: here they are put around it first."""
    reach = int(4 * sigma + 0.5)
    padded = F.pad(image, [reach] * 4, padding_mode="symmetric")
    return F.crop(F.gaussian_blur(padded, [2 * reach + 1] * 2, [sigma] * 2), reach, reach, *image.shape[-2:])


def seen(size, to):
    """What torchvision's map for corners that come to lie at `to` ([x, y]) does to the centers of the corner pixels.

    It counts from the image's edge, half a pixel beside the centers, but takes whole numbers for its corners.
    """
    height, width = size
    start = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
    back = np.append(F._get_perspective_coeffs(start, to), 1.0).reshape(3, 3)
    corners = [[0, 0], [0, width - 1], [height - 1, width - 1], [height - 1, 0]]
    found = []
    for row, column in corners:
        x, y, depth = np.linalg.inv(back) @ [column + 0.5, row + 0.5, 1.0]
        found.append([y / depth - 0.5, x / depth - 0.5])
    return start, found


def elastic(image, moves, **how):
    """In torchvision's numbers the image is 2 wide and 2 high."""
    height, width = image.shape[-2:]
    down, right = torch.tensor(moves[:, 0], dtype=torch.float32)
    return F.elastic_transform(image, torch.stack([right * 2 / width, down * 2 / height], -1)[None], **how)


def operations():
    """Of each case: its images, the operation as a file writes it, what it draws, and torchvision's answer."""
    how = {"nearest": {"fill": 0.25}, "bilinear": {}}
    for mode, said in how.items():
        fields = {"interpolation": mode} | said
        beyond = {"interpolation": MODES[mode], "fill": [said["fill"]] if said else None}
        for name, own, move in MOVED:
            yield "texture", {name: own | fields}, None, move(image("texture"), **beyond)
        for to in [[[3, 2], [26, 0], [28, 20], [1, 14]], [[9, 3], [27, 6], [20, 18], [5, 14]]]:  # no pixel lies just between two
            start, corners = seen([21, 29], to)
            answer = F.perspective(image("texture"), start, to, **beyond)
            yield "texture", {"perspective": fields}, corners, answer
        answer = elastic(image("texture"), moves(), **beyond)
        yield "texture", {"elastic": {"alpha": 1, "sigma": 0} | fields}, "moves", answer
    for direction, flip in [("horizontal", F.hflip), ("vertical", F.vflip)]:
        yield "photo", {"flip": {"direction": direction}}, None, flip(image("photo"))
    for border, mode in BORDERS.items():
        for down, right in [[3, -2], [-4, 4]]:
            padded = F.pad(image("photo"), [4] * 4, fill=0.25, padding_mode=mode)
            answer = F.crop(padded, 4 + down, 4 + right, 17, 25)
            fields = {"padding": 4, "border": border, "fill": 0.25}
            yield "photo", {"random_crop": fields}, [down, right], answer
    for interpolation, mode in RESIZED.items():
        for place, size in RECTANGLES:
            answer = F.resized_crop(image("texture"), *place, *size, [21, 29], mode, antialias=True)
            drawn = {"place": place, "size": size}
            yield "texture", {"random_resized_crop": {"interpolation": interpolation}}, drawn, answer
    answer = F.erase(image("photo"), 2, 5, 9, 13, torch.tensor(0.25))
    yield "photo", {"random_erasing": {"fill": 0.25}}, {"place": [2, 5], "size": [9, 13]}, answer
    for sigma in [0.7, 1.5]:
        yield "texture", {"blur": {"sigma": sigma}}, None, blur(image("texture"), sigma)
    for degrees in [-150, 30, 120]:
        yield "photo", {"hue": {"degrees": degrees}}, None, F.adjust_hue(image("photo"), degrees / 360)
    for factor in [0.0, 0.4, 1.7]:
        yield "photo", {"saturation": {"factor": factor}}, None, F.adjust_saturation(image("photo"), factor)
        yield "photo", {"sharpness": {"factor": factor}}, None, F.adjust_sharpness(image("photo"), factor)
        yield "texture", {"contrast": {"factor": factor}}, None, F.adjust_contrast(image("texture"), factor)
    for threshold in [0.0, 0.5, 1.0]:
        yield "shades", {"solarize": {"threshold": threshold}}, None, F.solarize(image("shades"), threshold)
    for bits in [1, 3, 8]:
        yield "shades", {"posterize": {"bits": bits}}, None, F.posterize(bytes_of("shades"), bits)
    yield "photo", {"equalize": {}}, None, F.equalize(bytes_of("photo"))
    yield "photo", {"autocontrast": {}}, None, F.autocontrast(image("photo"))
    yield "photo", {"grayscale": {}}, None, F.rgb_to_grayscale(image("photo"), 3)
    yield "photo", {"invert": {}}, None, F.invert(image("photo"))


def tables():
    """Of each policy: its operations, each with the magnitudes of all bins and whether they have both signs."""
    spaces = {
        "rand_augment": RandAugment()._augmentation_space(31, (17, 25)),
        "trivial_augment": TrivialAugmentWide()._augmentation_space(31),
    }
    return {
        policy: [[name, signed, of.tolist() if of.ndim else []] for name, (of, signed) in space.items()]
        for policy, space in spaces.items()
    }


def magnitude(table, step):
    name, at, sign = step
    strengths = next(row[2] for row in table if row[0] == name)
    return float(strengths[at]) * sign if strengths else 0.0


def drawn(transform, policy, table, seed):
    """The steps that a policy draws, and its answer."""
    steps, apply = [], autoaugment._apply_op

    def watched(image, name, strength, **how):
        magnitudes = [abs(strength - sign * value) for sign in [1, -1] for value in next(
            row[2] for row in table if row[0] == name) or [0.0]]
        at = int(np.argmin(magnitudes))
        bins = max(1, len(magnitudes) // 2)
        steps.append([name, at % bins, 1 if at < bins else -1])
        return apply(image, name, strength, **how)

    autoaugment._apply_op = watched
    torch.manual_seed(seed)
    answer = transform(bytes_of("photo"))
    autoaugment._apply_op = apply
    return steps, answer


# What rounds its values to whole steps of 255: ours keep what is between, and what follows makes more of it.
ROUNDED = {"Brightness", "Color", "Contrast", "Sharpness", "AutoContrast"}


def policies():
    """Of each case: its images, the policy, the steps ([operation, bin, sign]) and torchvision's answer."""
    for policy, table in tables().items():
        def answer(name, *step):
            strength = magnitude(table, step)
            return name, policy, [list(step)], autoaugment._apply_op(
                bytes_of(name), step[0], strength, InterpolationMode.NEAREST, None)

        for name, signed, strengths in table:
            # Turns by 30 degrees, and shears by most even bins, lead pixels to just between two others.
            for at in [1, 9, 17, 29 if name == "Rotate" else 30] if strengths else [0]:
                for sign in [1, -1] if signed else [1]:
                    yield answer("photo", name, at, sign)
        for name in ["Solarize", "Posterize"]:
            for at in range(31):
                yield answer("shades", name, at, 1)
        for name in ["Brightness", "Color", "Contrast", "Sharpness"]:
            yield answer("shades", name, 30, 1)
            yield answer("shades", name, 30, -1)
    table = tables()["rand_augment"]
    found = (drawn(RandAugment(num_ops=3, magnitude=9), "rand_augment", table, seed) for seed in range(200))
    exact = [(steps, answer) for steps, answer in found if not ROUNDED & {step[0] for step in steps}]
    for steps, answer in exact[:12]:
        yield "photo", "rand_augment", steps, answer
    table = tables()["trivial_augment"]
    for seed in range(12):
        steps, answer = drawn(TrivialAugmentWide(), "trivial_augment", table, seed)
        yield "photo", "trivial_augment", steps, answer


def draws():
    """Of what torchvision draws many times over: the operation, the images' size and the numbers' means."""
    torch.manual_seed(0)
    size = [1, 40, 60]
    erasing = {"area": [0.1, 0.5], "ratio": [0.2, 0.8]}
    drawn = [RandomErasing.get_params(torch.zeros(size), *erasing.values(), [0.0])[:4] for _ in range(DRAWS)]
    yield {"random_erasing": erasing}, size, drawn
    crop = {"area": [0.1, 0.9], "ratio": [0.4, 1.1]}
    drawn = [RandomResizedCrop.get_params(torch.zeros(size), *crop.values()) for _ in range(DRAWS)]
    yield {"random_resized_crop": crop}, size, drawn
    drawn = []
    for _ in range(DRAWS):
        start, end = RandomPerspective.get_params(60, 40, 0.5)
        drawn.append(np.abs(np.array(start) - end)[:, ::-1].ravel())
    yield {"perspective": {"distortion": 0.5}}, size, drawn
    # Squares of moves in pixels: torchvision multiplies by half of its alpha.
    moved = [ElasticTransform.get_params([60.0, 60.0], [3.0, 3.0], [40, 40]) * 20 for _ in range(100)]
    drawn = [[(move**2).mean().item()] for move in moved]
    yield {"elastic": {"alpha": 30, "sigma": 3}}, [1, 40, 40], drawn


def rounded(answer):
    answer = answer.numpy()
    if answer.dtype == np.uint8:
        return (answer / 255.0).astype("<f4")
    # Cubics overshoot; the operations clip what they make.
    return ((np.clip(answer, 0.0, 1.0) / STEP).round() * STEP).astype("<f4")


def answers():
    """The cases as the JSON tells them, and their pixels one after another, the inputs first."""
    sets = {name: of[None] for name, of in IMAGES.items()} | {"moves": moves()}
    sets = {name: sets[name].astype("<f4") for name in sorted(sets)}
    pixels, cases, steps = list(sets.values()), [], []
    for name, operation, draw, answer in operations():
        cases.append({"images": name, "operation": operation} | ({} if draw is None else {"drawn": draw}))
        pixels.append(rounded(answer))
    for name, policy, of, answer in policies():
        steps.append({"images": name, "policy": policy, "steps": of})
        pixels.append(rounded(answer))
    index = {
        "images": {name: list(of.shape) for name, of in sets.items()},
        "cases": cases,
        "tables": tables(),
        "policies": steps,
        "draws": [
            {"operation": operation, "shape": size, "means": np.mean(drawn, axis=0).round(4).tolist()}
            for operation, size, drawn in draws()
        ],
    }
    return index, np.concatenate([part.ravel() for part in pixels])


def check(index, pixels):
    largest = largest_difference(INDEX, PIXELS, index, pixels, "torchvision", TOLERANCE)
    print(f"{len(index['cases'])} operations and {len(index['policies'])} steps of policies agree, "
          f"largest difference {largest:.1e}")


def write(index, pixels):
    lines = [f'  "images": {json.dumps(index["images"])}']
    for name in ["cases", "draws", "policies"]:
        rows = ",\n".join("    " + json.dumps(row) for row in index[name])
        lines.append(f'  "{name}": [\n{rows}\n  ]')
    tables = ",\n".join(
        f'    "{policy}": [\n' + ",\n".join("      " + json.dumps(row) for row in table) + "\n    ]"
        for policy, table in index["tables"].items()
    )
    lines.append(f'  "tables": {{\n{tables}\n  }}')
    INDEX.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    written = write_pixels(PIXELS, pixels)
    print(f"{len(index['cases'])} operations, {len(index['policies'])} steps, {written} bytes of pixels")


if __name__ == "__main__":
    main(__doc__, check, write, answers)
