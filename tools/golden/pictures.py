# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/resize.txt, transforms.txt, decode.txt and the picture files of tests/fuzz/corpus/FORMAT, with Pillow.

    python3 tools/golden/pictures.py

resize.txt: a line a case, "FILTER IN_W IN_H X0 Y0 X1 Y1 OUT_W OUT_H HASH"; the input is made by pattern() here and in
tests/unit/test_resize.c. decode.txt: "FORMAT/FILE WIDTH HEIGHT HASH" of the RGB pixels that Pillow gives for the file,
turned by its EXIF tag. Written with Pillow 11.1; Pillow 13 makes the vertical pass first where that is less work (pictures made
wider and lower at once), which changes single bits there. transforms.txt: "crop IN_W IN_H SIZE PCT HASH" (shorter side to
int(SIZE / PCT), the middle), "squash IN_W IN_H SIZE HASH", "jitter BRIGHTNESS CONTRAST SATURATION HUE ORDER HASH" as
torchvision's transforms do it on Pillow's pictures. HASH: FNV-1a of 64 bits over the RGB bytes.
"""
import io
import pathlib
import random
import struct

from PIL import Image, ImageEnhance, ImageOps

HERE = pathlib.Path(__file__).resolve().parents[2] / "tests"
FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS, "box": Image.BOX}


def fnv(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def pattern(w, h):
    out = bytearray(3 * w * h)
    for i in range(3 * w * h):
        x, y, c = i // 3 % w, i // 3 // w, i % 3
        noise = (i * 2654435761 & 0xFFFFFFFF) >> 24
        edges = 255 * ((x // 5 + y // 7 + c) & 1)
        out[i] = noise if (x + y) // 16 & 1 else edges
    return Image.frombytes("RGB", (w, h), bytes(out))


def resize_cases():
    sizes = [(37, 29, 16, 16), (16, 16, 37, 29), (64, 48, 64, 20), (64, 48, 17, 48), (64, 48, 64, 48), (5, 3, 224, 224), (300, 200, 32, 32),
             (250, 187, 128, 96), (1, 1, 7, 5), (3, 211, 9, 2), (500, 4, 1, 1), (97, 89, 98, 90)]
    r = random.Random(1)
    for name in FILTERS:
        for iw, ih, ow, oh in sizes:
            yield name, iw, ih, (0, 0, iw, ih), ow, oh
    for name in ("bilinear", "bicubic", "lanczos"):
        for _ in range(6):
            iw, ih = r.randrange(20, 90), r.randrange(20, 90)
            x0, y0 = r.uniform(0, iw / 2), r.uniform(0, ih / 2)
            yield name, iw, ih, (x0, y0, x0 + r.uniform(1, iw / 2), y0 + r.uniform(1, ih / 2)), r.randrange(1, 60), r.randrange(1, 60)


def write_resize():
    lines = []
    for name, iw, ih, box, ow, oh in resize_cases():
        out = pattern(iw, ih).resize((ow, oh), FILTERS[name], box=box)
        lines.append(f"{name} {iw} {ih} {box[0]!r} {box[1]!r} {box[2]!r} {box[3]!r} {ow} {oh} {fnv(out.tobytes())}\n")
    (HERE / "golden" / "resize.txt").write_text("".join(lines))


def hue(im, factor):
    h, s, v = im.convert("HSV").split()
    shift = int(factor * 255) & 255
    h = h.point([(i + shift) & 255 for i in range(256)])
    return Image.merge("HSV", (h, s, v)).convert("RGB")


def write_transforms():
    lines = []
    for w, h, size, pct in [(50, 40, 24, 0.875), (40, 50, 24, 0.875), (64, 64, 32, 1.0), (301, 200, 64, 0.9), (33, 100, 20, 0.8), (20, 17, 64, 0.875),
                            (500, 375, 224, 0.875), (375, 500, 224, 0.95)]:
        im, side = pattern(w, h), int(size / pct)
        new = (side, int(side * h / w)) if w <= h else (int(side * w / h), side)
        out = im.resize(new, Image.BILINEAR)
        left, top = int(round((new[0] - size) / 2.0)), int(round((new[1] - size) / 2.0))
        lines.append(f"crop {w} {h} {size} {pct!r} {fnv(out.crop((left, top, left + size, top + size)).tobytes())}\n")
        lines.append(f"squash {w} {h} {size} 1 {fnv(im.resize((size, size), Image.BILINEAR).tobytes())}\n")
    apply = [lambda i, f: ImageEnhance.Brightness(i).enhance(f), lambda i, f: ImageEnhance.Contrast(i).enhance(f),
             lambda i, f: ImageEnhance.Color(i).enhance(f), hue]
    r = random.Random(2)
    for _ in range(24):
        factors = [r.uniform(0.5, 1.5), r.uniform(0.5, 1.5), r.uniform(0.3, 1.8), r.uniform(-0.5, 0.5)]
        order = r.sample(range(4), 4)
        im = pattern(48, 36)
        for i in order:
            im = apply[i](im, factors[i])
        lines.append(f"jitter {' '.join(repr(f) for f in factors)} {''.join(map(str, order))} {fnv(im.tobytes())}\n")
    (HERE / "golden" / "transforms.txt").write_text("".join(lines))


def photo(w=40, h=30):
    """Smooth colours with a few edges."""
    im = Image.new("RGB", (w, h))
    im.putdata([((x * 6) % 256, (y * 8) % 256, 255 * (x > w // 2) if y > h // 2 else (x * y) % 256) for y in range(h) for x in range(w)])
    return im


def exif(orientation, big=False):
    order = ">" if big else "<"
    head = (b"MM\0*" if big else b"II*\0") + struct.pack(order + "I", 8)
    return b"Exif\0\0" + head + struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def bmp16(im):
    w, h = im.size
    rows = b""
    for y in reversed(range(h)):
        row = b"".join(struct.pack("<H", (r >> 3) << 11 | (g >> 2) << 5 | b >> 3) for r, g, b in (im.getpixel((x, y)) for x in range(w)))
        rows += row + bytes(-len(row) % 4)
    head = struct.pack("<IiiHHIIiiII", 40, w, h, 1, 16, 3, len(rows), 0, 0, 0, 0) + struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(rows), 0, 0, 14 + len(head)) + head + rows


def bmp_rle8(im):
    p = im.quantize(16)
    w, h = p.size
    palette = (p.getpalette() + [0] * 768)[:768]
    table = b"".join(bytes((palette[3 * i + 2], palette[3 * i + 1], palette[3 * i], 0)) for i in range(256))
    rows = b""
    for y in reversed(range(h)):
        x = 0
        while x < w:
            n = 1
            while x + n < w and n < 255 and p.getpixel((x + n, y)) == p.getpixel((x, y)):
                n += 1
            if n == 1 and w - x >= 3:                     # an absolute run
                n = 3
                rows += bytes((0, 3, *(p.getpixel((x + i, y)) for i in range(3)), 0))
            else:
                rows += bytes((n, p.getpixel((x, y))))
            x += n
        rows += b"\0\0"
    rows += b"\0\1"
    head = struct.pack("<IiiHHIIiiII", 40, w, h, 1, 8, 1, len(rows), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(rows), 0, 0, 54 + 1024) + head + table + rows


def write_pictures():
    im, folder = photo(), HERE / "fuzz" / "corpus"
    alpha = im.convert("RGBA")
    alpha.putalpha(Image.linear_gradient("L").resize(im.size))
    files = {}

    def save(name, picture, format, **options):
        out = io.BytesIO()
        picture.save(out, format, **options)
        files[name] = out.getvalue()

    save("plain.jpg", im, "JPEG", quality=90)
    save("444.jpg", im, "JPEG", quality=95, subsampling=0)
    save("422.jpg", im, "JPEG", quality=80, subsampling=1)
    save("grey.jpg", im.convert("L"), "JPEG")
    save("progressive.jpg", im, "JPEG", progressive=True)
    save("cmyk.jpg", im.convert("CMYK"), "JPEG")
    for o in range(1, 9):
        save(f"turn{o}.jpg", im, "JPEG", quality=90, exif=exif(o, o % 2 == 0))
    save("rgb.png", im, "PNG")
    save("rgba.png", alpha, "PNG")
    save("grey.png", im.convert("L"), "PNG")
    save("grey_alpha.png", alpha.convert("LA"), "PNG")
    save("bits1.png", im.convert("1"), "PNG")
    save("palette.png", im.quantize(200), "PNG")
    save("palette4.png", im.quantize(11), "PNG", bits=4)
    save("palette_clear.png", im.quantize(16), "PNG", transparency=bytes([0, 128] + [255] * 14))
    save("turn6.png", im, "PNG", exif=exif(6)[6:])
    save("lossy.webp", im, "WEBP", quality=80)
    save("lossless.webp", alpha, "WEBP", lossless=True, exact=True)
    save("turn8.webp", im, "WEBP", quality=80, exif=exif(8))
    save("animated.webp", im, "WEBP", save_all=True, append_images=[im.transpose(0), im.transpose(1)], lossless=True)
    save("plain.gif", im.quantize(64), "GIF")
    save("interlaced.gif", im.quantize(64), "GIF", interlace=1)
    save("clear.gif", im.quantize(16), "GIF", transparency=3)
    save("animated.gif", im.quantize(64), "GIF", save_all=True, append_images=[im.transpose(0).quantize(64)])
    save("rgb.bmp", im, "BMP")
    save("grey.bmp", im.convert("L"), "BMP")
    save("bits1.bmp", im.convert("1"), "BMP")
    save("palette.bmp", im.quantize(100), "BMP")
    save("rgba.bmp", alpha, "BMP")
    files["bits16.bmp"] = bmp16(im)
    files["rle8.bmp"] = bmp_rle8(im)
    save("rgb.ppm", im, "PPM")
    save("grey.pgm", im.convert("L"), "PPM")
    lines = []
    for name, data in sorted(files.items()):
        opened = Image.open(io.BytesIO(data))
        picture = ImageOps.exif_transpose(opened).convert("RGB")
        place = f"{opened.format.lower().replace('ppm', 'pnm')}/{name}"
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_bytes(data)
        lines.append(f"{place} {picture.width} {picture.height} {fnv(picture.tobytes())}\n")
    # What Pillow itself reads otherwise or not at all: 16 bits (it keeps or scales them), the high byte is taken here.
    grey16 = Image.new("I;16", (8, 4))
    grey16.putdata([i * 2114 for i in range(32)])
    out = io.BytesIO()
    grey16.save(out, "PNG")
    (folder / "png" / "grey16.png").write_bytes(out.getvalue())
    lines.append(f"png/grey16.png 8 4 {fnv(bytes(b for i in range(32) for b in [i * 2114 >> 8] * 3))}\n")
    (HERE / "golden" / "decode.txt").write_text("".join(lines))


write_resize()
write_transforms()
write_pictures()
