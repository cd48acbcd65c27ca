"""Image files of every kind, and what Pillow makes of them: the answers that reading images is held to.

    python make.py           writes files/ and answers.json
    python make.py --check   makes the answers anew from the committed files and compares them

A case is a file, the form that it is brought to (as a folder's table says it), and the values that Pillow gives,
[channels, height, width]. The order is that of burnlab: background, colors, size.
"""

import argparse
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

HERE = Path(__file__).resolve().parent
FILES = HERE / "files"
ANSWERS = HERE / "answers.json"
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def picture(height=17, width=24):
    """Smooth colors with an edge in them: what JPEG keeps, and filters differ on."""
    y, x = np.mgrid[0:height, 0:width]
    red = 128 + 100 * np.sin(x / 4.0) * np.cos(y / 5.0)
    green = 255.0 * x / width
    blue = np.where((x - 12) ** 2 + (y - 8) ** 2 < 25, 220, 40) + 0.0 * x
    return Image.fromarray(np.stack([red, green, blue], -1).round().astype(np.uint8))


def opacity(image):
    height, width = image.height, image.width
    alpha = np.linspace(0, 255, height * width).reshape(height, width)
    image = image.convert("RGBA")
    image.putalpha(Image.fromarray(alpha.astype(np.uint8)))
    return image


def deep(height=17, width=24):
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray((1000 + 3000 * x / width + 5 * y).astype(np.uint16))


def write_palette(path, image, bits, order="<", tile=None, predictor=1):
    """A TIFF file of numbers of colors (TIFF 6.0, section 5), of kinds that Pillow does not write.

    Of 2 ** bits colors; `tile` is the side of square tiles, deflated; else there is one strip.
    """
    indices = np.asarray(image)
    height, width = indices.shape
    palette = np.zeros((256, 3), int)
    own = np.array(image.getpalette()).reshape(-1, 3)
    palette[: len(own)] = own
    colors = (palette[: 2**bits].T * 257).ravel().tolist()

    def packed(part):
        if predictor == 2:
            part = np.diff(part, axis=1, prepend=part[:, :1] * 0)
        digits = (part[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        return np.packbits(digits.reshape(len(part), -1), axis=1).tobytes()

    if tile:
        rows, columns = -(-height // tile), -(-width // tile)
        whole = np.pad(indices, [(0, rows * tile - height), (0, columns * tile - width)])
        parts = [zlib.compress(packed(whole[y * tile:][:tile, x * tile:][:, :tile]))
                 for y in range(rows) for x in range(columns)]
        layout = [(322, 3, [tile]), (323, 3, [tile]), (324, 4, [0] * len(parts)), (325, 4, [len(p) for p in parts])]
    else:
        parts = [packed(indices)]
        layout = [(273, 4, [0]), (278, 3, [height]), (279, 4, [len(parts[0])])]
    tags = sorted([
        (256, 3, [width]), (257, 3, [height]), (258, 3, [bits]), (259, 3, [8 if tile else 1]), (262, 3, [3]),
        (277, 3, [1]), (317, 3, [predictor]), (320, 3, colors), *layout,
    ])
    place = 8 + 2 + 12 * len(tags) + 4
    beside = b""
    sizes = {3: ("H", 2), 4: ("I", 4)}
    entries = b""
    data = place + sum(len(values) * sizes[kind][1] for _, kind, values in tags if len(values) * sizes[kind][1] > 4)
    for tag, kind, values in tags:
        if tag in (273, 324):
            values = [data + sum(map(len, parts[:at])) for at in range(len(parts))]
        value = struct.pack(f"{order}{len(values)}{sizes[kind][0]}", *values)
        if len(value) > 4:
            value, beside = struct.pack(f"{order}I", place + len(beside)), beside + value
        entries += struct.pack(f"{order}HHI", tag, kind, len(values)) + value.ljust(4, b"\0")
    start = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    directory = struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", 0)
    path.write_bytes(start + directory + beside + b"".join(parts))


def make_files():
    FILES.mkdir(exist_ok=True)
    color = picture()
    gray = color.convert("L")
    cut = color.convert("P", palette=Image.Palette.ADAPTIVE, colors=32)
    bilevel = gray.point(lambda value: 255 * (value > 100)).convert("1")
    clear = cut.copy()
    clear.info["transparency"] = 3

    def save(image, name, **how):
        image.save(FILES / name, **how)

    save(color, "rgb.png")
    save(gray, "gray.png")
    save(cut, "palette.png")
    save(cut, "palette-clear.png", transparency=3)
    save(bilevel, "bilevel.png")
    save(opacity(color), "alpha.png")
    save(opacity(gray).convert("LA"), "gray-alpha.png")
    save(deep(), "sixteen.png")
    save(color, "rgb.jpg", quality=95)
    save(color, "progressive.jpg", quality=95, progressive=True)
    save(gray, "gray.jpg", quality=95)
    save(color.convert("CMYK"), "cmyk.jpg", quality=95)
    save(color, "lossless.webp", lossless=True)
    save(color, "lossy.webp", quality=90)
    save(opacity(color), "alpha.webp", lossless=True, exact=True)
    save(color, "rgb.bmp")
    save(cut, "palette.bmp")
    save(gray, "gray.bmp")
    save(color, "rgb.tif")
    save(color, "lzw.tiff", compression="tiff_lzw")
    save(color, "deflate.tiff", compression="tiff_adobe_deflate")
    save(gray, "gray.tif")
    save(color.convert("CMYK"), "cmyk.tif")
    save(bilevel, "bilevel.tif")
    save(deep(), "sixteen.tif")
    save(cut, "palette.gif")
    save(cut, "clear.gif", transparency=3)
    frames = [cut, ImageOps.invert(color).convert("P", palette=Image.Palette.ADAPTIVE)]
    save(frames[0], "frames.gif", save_all=True, append_images=frames[1:])
    small = picture(9, 13)
    few = {bits: small.convert("P", palette=Image.Palette.ADAPTIVE, colors=2**bits) for bits in [1, 2, 4, 8]}
    save(few[8], "palette.tif")
    save(few[8], "palette-lzw.tif", compression="tiff_lzw")
    save(few[8], "palette-packbits.tif", compression="packbits")
    save(few[8], "palette-big.tif", big_tiff=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    # Packed: Pillow mixes up the sides of one that is not.
    save(few[8], "palette-turned.tif", exif=exif, compression="tiff_lzw")
    write_palette(FILES / "palette-1.tif", few[1], 1)
    write_palette(FILES / "palette-2.tif", few[2], 2)
    write_palette(FILES / "palette-4.tif", few[4], 4, order=">")
    write_palette(FILES / "palette-tiles.tif", cut, 8, tile=16, predictor=2)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(color, f"turned-{orientation}.jpg", quality=95, exif=exif)
    exif = Image.Exif()
    exif[0x0112] = 6
    save(color, "turned-6.png", exif=exif)
    save(color, "turned-6.webp", lossless=True, exif=exif)


def formed(path, form):
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith("I;16"):
        image = Image.fromarray(np.asarray(image).astype(np.float32))
    elif image.mode != "F":
        behind = [round(255 * form.get("background", 0.0))] * 3 + [255]
        # Palettes and opacity at once, and inks by their own rule.
        if image.mode in ("P", "LA", "PA", "RGBA"):
            image = image.convert("RGBA")
            under = Image.new("RGBA", image.size, tuple(behind))
            image = Image.alpha_composite(under, image).convert("RGB")
        mode = {"gray": "L", "rgb": "RGB"}[form["channels"]]
        image = image.convert("RGB").convert(mode) if image.mode != "L" else image.convert(mode)
    if "size" in form:
        size = tuple(form["size"][::-1])
        how = FILTERS[form.get("filter", "bilinear")]
        fit = form.get("fit", "stretch")
        if fit == "stretch":
            image = image.resize(size, how)
        elif fit == "pad":
            behind = round(255 * form.get("background", 0.0))
            color = behind if image.mode == "L" else (behind,) * 3
            image = ImageOps.pad(image, size, how, color=color)
        else:
            image = ImageOps.cover(image, size, how)
            # Halves to even, as torchvision's center crop.
            left, top = (round((all_ - part) / 2) for all_, part in zip(image.size, size))
            image = image.crop((left, top, left + size[0], top + size[1]))
    values = np.asarray(image)
    values = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    return values.round().astype(int)


def cases():
    names = sorted(path.name for path in FILES.iterdir())
    for name in names:
        for channels in ["gray"] if "sixteen" in name else ["gray", "rgb"]:
            yield name, {"channels": channels}
    for name in ["alpha.png", "gray-alpha.png", "alpha.webp", "clear.gif", "palette-clear.png"]:
        yield name, {"channels": "rgb", "background": 1.0}
        yield name, {"channels": "gray", "background": 0.25}
    for how in FILTERS:
        for size in [[8, 12], [6, 6], [40, 32], [17, 5]]:
            for name, channels in [("rgb.png", "rgb"), ("gray.png", "gray")]:
                yield name, {"channels": channels, "size": size, "filter": how}
    for size in [[10, 10], [9, 30], [32, 32], [20, 8]]:
        for fit in ["crop", "pad"]:
            yield "rgb.png", {"channels": "rgb", "size": size, "fit": fit}
            yield "gray.png", {"channels": "gray", "size": size, "fit": fit, "background": 1.0}
    yield "sixteen.png", {"channels": "gray", "size": [8, 12]}
    yield "sixteen.tif", {"channels": "gray", "size": [8, 12], "filter": "bicubic"}


def answers():
    made = []
    for name, form in cases():
        values = formed(FILES / name, form)
        made.append({
            "file": name,
            "form": form,
            "shape": list(values.shape),
            "values": values.ravel().tolist(),
        })
    return made


def written(made):
    return "[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in made) + "\n]\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    if parser.parse_args().check:
        if ANSWERS.read_text() != written(answers()):
            sys.exit(f"error: {ANSWERS.name} is not what Pillow gives: run this script without --check")
        print(f"{len(json.loads(ANSWERS.read_text()))} cases agree")
    else:
        make_files()
        ANSWERS.write_text(written(answers()))
        print(f"{len(json.loads(ANSWERS.read_text()))} cases, {ANSWERS.stat().st_size} bytes")
