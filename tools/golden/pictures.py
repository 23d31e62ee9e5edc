# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/resize.txt, transforms.txt, decode.txt and the picture files of tests/fuzz/corpus/FORMAT, with Pillow.

    python3 tools/golden/pictures.py [resize] [transforms] [decode]          # none named: all three

resize.txt: a line a case, "FILTER IN_W IN_H X0 Y0 X1 Y1 OUT_W OUT_H HASH"; the input is made by pattern() here and in
tests/unit/test_resize.c. decode.txt: "FORMAT/FILE WIDTH HEIGHT HASH" of the RGB pixels that Pillow gives for the file,
turned by its EXIF tag or XMP; a picture file that is there is kept as it is, since encoders change. Written with Pillow 11.1 (what
decode has since, with 13.0); Pillow 13 makes the vertical pass first where that is less work (pictures made wider and lower at
once), which changes single bits of resize. transforms.txt: "crop IN_W IN_H SIZE PCT HASH" (shorter side to
int(SIZE / PCT), the middle), "squash IN_W IN_H SIZE HASH", "jitter BRIGHTNESS CONTRAST SATURATION HUE ORDER HASH" as
torchvision's transforms do it on Pillow's pictures. HASH: FNV-1a of 64 bits over the RGB bytes.
"""
import io
import pathlib
import random
import struct
import sys
import zlib

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


def exif(orientation, big=False, kind="H", tag=0x0112):
    order, types = ">" if big else "<", {"H": 3, "I": 4, "h": 8, "i": 9}
    head = (b"MM\0*" if big else b"II*\0") + struct.pack(order + "I", 8)
    value = struct.pack(order + kind, orientation).ljust(4, b"\0")
    return b"Exif\0\0" + head + struct.pack(order + "HHHI", 1, tag, types[kind], 1) + value + bytes(4)


def xmp(orientation, element=False):
    where = f"><tiff:Orientation>{orientation}</tiff:Orientation></rdf:Description>" if element else f' tiff:Orientation="{orientation}"/>'
    return (b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"' + where.encode() + b"</rdf:RDF></x:xmpmeta>")


def jpeg_with(data, *blocks):
    """The JPEG with APP1 segments behind its first two bytes."""
    return data[:2] + b"".join(b"\xFF\xE1" + struct.pack(">H", len(b) + 2) + b for b in blocks) + data[2:]


def jpeg_without_adobe(data):
    at = data.index(b"\xFF\xEE")
    return data[:at] + data[at + 2 + struct.unpack_from(">H", data, at + 2)[0]:]


XMP = b"http://ns.adobe.com/xap/1.0/\0"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(data, *chunks, last=False):
    """The PNG with more chunks, behind its header or in front of its end."""
    at = len(data) - 12 if last else 33
    return data[:at] + b"".join(chunks) + data[at:]


def png_grey16(w, h, values):
    rows = b"".join(b"\0" + struct.pack(f">{w}H", *values[y * w:y * w + w]) for y in range(h))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 16, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def raw_profile(data):
    """ImageMagick's form of a profile as text."""
    text = data.hex()
    return ("\nexif\n%8d\n" % len(data) + "\n".join(text[i:i + 72] for i in range(0, len(text), 72)) + "\n").encode()


def gif_frame(canvas, place, size, clear=None):
    """A GIF of four colours whose only frame lies at `place` of its canvas; LZW codes of three bits, cleared before they grow."""
    out = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0x81, 2, 0) + bytes((10, 20, 30, 200, 0, 0, 0, 200, 0, 0, 0, 200))
    if clear is not None:
        out += b"\x21\xF9\x04" + struct.pack("<BHBB", 1, 0, clear, 0)
    codes = []
    for i in range(size[0] * size[1]):
        codes += ([4] if i % 2 == 0 else []) + [i % 4]
    bits = sum(c << 3 * i for i, c in enumerate(codes + [5]))
    data = bits.to_bytes((3 * len(codes) + 10) // 8, "little")
    blocks = b"".join(bytes((len(data[i:i + 255]),)) + data[i:i + 255] for i in range(0, len(data), 255))
    return out + b"," + struct.pack("<HHHHB", *place, *size, 0) + b"\2" + blocks + b"\0;"


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


FOLDERS = {"jpg": "jpeg", "png": "png", "webp": "webp", "gif": "gif", "bmp": "bmp", "ppm": "pnm", "pgm": "pnm", "heic": "heif", "avif": "heif"}


def keep(folder, name, data):
    """Writes the file unless it is there; what is in it then."""
    path = folder / FOLDERS[name.split(".")[1]] / name
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_bytes(data)
    return path.read_bytes()


def orientation_elsewhere(jpg, png, im):
    """Orientation as another kind of number than the usual one, and in other places than EXIF."""
    other = exif(5, tag=0x0100)                          # EXIF without the tag
    webp = io.BytesIO()
    im.save(webp, "WEBP", quality=80, xmp=xmp(6))
    return {
        "turn_long.jpg": jpeg_with(jpg, exif(6, kind="I")), "turn_slong.jpg": jpeg_with(jpg, exif(8, True, "i")),
        "turn_xmp.jpg": jpeg_with(jpg, XMP + xmp(6)), "turn_xmp_element.jpg": jpeg_with(jpg, XMP + xmp(5, True), other),
        "turn_not.jpg": jpeg_with(jpg, XMP + xmp(6), exif(1)),
        "turn_profile.png": png_with(png, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_profile(exif(6))))),
        "turn_profile_text.png": png_with(png, chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(exif(7, True))), last=True),
        "turn_xmp.png": png_with(png, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(6))),
        "turn_xmp_packed.png": png_with(png, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0en\0\0" + zlib.compress(xmp(8, True))), last=True),
        "turn_chunk.png": png_with(png, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_profile(exif(6)))), chunk(b"eXIf", exif(3)[6:])),
        "turn_xmp.webp": webp.getvalue()}


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
    files |= orientation_elsewhere(files["plain.jpg"], files["rgb.png"], im)
    files["cmyk_plain.jpg"] = jpeg_without_adobe(files["cmyk.jpg"])
    files["part.gif"] = gif_frame((40, 30), (10, 5), (8, 6))
    files["part_clear.gif"] = gif_frame((40, 30), (10, 5), (8, 6), clear=1)
    files["part_beyond.gif"] = gif_frame((12, 8), (10, 5), (8, 6))
    files["no_canvas.gif"] = gif_frame((0, 0), (0, 0), (8, 6))
    lines = []
    for name, data in sorted(files.items()):
        data = keep(folder, name, data)
        opened = Image.open(io.BytesIO(data))
        picture = ImageOps.exif_transpose(opened).convert("RGB")
        lines.append(f"{FOLDERS[name.split('.')[1]]}/{name} {picture.width} {picture.height} {fnv(picture.tobytes())}\n")
    # Grey of more than 8 bits, which Pillow cuts off at 255: PNG's high byte, PGM's values scaled by the largest one.
    grey = [i * 2114 for i in range(32)], [i * 132 for i in range(32)]
    keep(folder, "grey16.png", png_grey16(8, 4, grey[0]))
    keep(folder, "grey12.pgm", b"P5\n8 4\n4095\n" + struct.pack(">32H", *grey[1]))
    keep(folder, "dark.png", png_grey16(8, 4, grey[1]))
    lines.append(f"png/grey16.png 8 4 {fnv(bytes(b for v in grey[0] for b in [v >> 8] * 3))}\n")
    lines.append(f"pnm/grey12.pgm 8 4 {fnv(bytes(b for v in grey[1] for b in [(v * 255 + 2047) // 4095] * 3))}\n")
    (HERE / "golden" / "decode.txt").write_text("".join(lines))


if __name__ == "__main__":
    parts = {"resize": write_resize, "transforms": write_transforms, "decode": write_pictures}
    for part in sys.argv[1:] or parts:
        parts[part]()
