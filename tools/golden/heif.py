# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/heif.txt and the HEIC and AVIF files of tests/fuzz/corpus/heif, with Pillow and pillow-heif.

    python3 tools/golden/heif.py             # a picture file that is there is kept as it is, since encoders change

heif.txt: "FILE WIDTH HEIGHT TOLERANCE POINTS": RRGGBB of the pixels at ((2 i + 1) WIDTH / 10, (2 j + 1) HEIGHT / 8), i = 0..4, j = 0..3,
row after row, as Pillow gives them, and how far a decoder may be from them: 0 for lossless RGB, 2 where YCbCr is turned into RGB or
10 bits become 8, 10 where colours were multiplied by a small alpha. lie.heic and lie.avif say 40 x 30 and hold 16384 x 8000. Written with Pillow 13.0 and pillow-heif 1.8 (libheif 1.23).
"""
import io
import pathlib
import struct

import pillow_heif
from PIL import Image, ImageOps

from pictures import exif, photo

HERE = pathlib.Path(__file__).resolve().parents[2] / "tests"
LOSSLESS = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}


def saved(im, kind, **options):
    out = io.BytesIO()
    im.save(out, kind, **options)
    return out.getvalue()


def box(kind, *parts, version=None, flags=0):
    data = (b"" if version is None else struct.pack(">I", version << 24 | flags)) + b"".join(parts)
    return struct.pack(">I", 8 + len(data)) + kind + data


def inner(data, kind):
    """The first box of this kind, whole."""
    at = data.index(kind) - 4
    return data[at:at + struct.unpack_from(">I", data, at)[0]]


def grid(im, size, tile, turns):
    """As telephones write it: square tiles of their own coding, put together, cut to `size` and turned."""
    columns, rows = -(-size[0] // tile), -(-size[1] // tile)
    places = [(x * tile, y * tile) for y in range(rows) for x in range(columns)]
    tiles = [saved(im.crop((x, y, x + tile, y + tile)), "HEIF", **LOSSLESS) for x, y in places]
    items, whole = [inner(t, b"mdat")[8:] for t in tiles], len(tiles) + 1
    payload = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)
    infos = [box(b"infe", struct.pack(">HH", i + 1, 0), b"hvc1" if i < len(tiles) else b"grid", b"\0", version=2) for i in range(whole)]
    properties = box(b"iprp", box(b"ipco", inner(tiles[0], b"hvcC"), inner(tiles[0], b"colr"), box(b"ispe", struct.pack(">II", tile, tile), version=0),
                                  box(b"ispe", struct.pack(">II", *size), version=0), box(b"irot", bytes((turns,)))),
                     box(b"ipma", struct.pack(">I", whole), b"".join(struct.pack(">HBBBB", i + 1, 3, 0x81, 2, 3) for i in range(len(tiles))),
                         struct.pack(">HBBBB", whole, 3, 2, 4, 0x85), version=0))
    head = box(b"ftyp", b"mif1", bytes(4), b"mif1heic")

    def meta(start):
        places, at = b"", start
        for i, data in enumerate(items):
            places += struct.pack(">HHHHII", i + 1, 0, 0, 1, at, len(data))
            at += len(data)
        places += struct.pack(">HHHHII", whole, 1, 0, 1, 0, len(payload))          # in idat
        return box(b"meta", box(b"hdlr", bytes(4), b"pict", bytes(13), version=0), box(b"pitm", struct.pack(">H", whole), version=0),
                   box(b"iloc", b"\x44\0", struct.pack(">H", whole), places, version=1), box(b"iinf", struct.pack(">H", whole), *infos, version=0),
                   box(b"iref", box(b"dimg", struct.pack(">HH", whole, len(tiles)), *(struct.pack(">H", i + 1) for i in range(len(tiles)))), version=0),
                   properties, box(b"idat", payload), version=0)

    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", *items)


def ten_bits(im):
    pillow_heif.options.SAVE_HDR_TO_12_BIT = False
    data = b"".join(struct.pack("<H", v * 257) for v in im.tobytes())
    out = io.BytesIO()
    pillow_heif.from_bytes(mode="RGB;16", size=im.size, data=data).save(out, quality=95, chroma=444)
    return out.getvalue()


def two(first, second):
    file, out = pillow_heif.from_pillow(first), io.BytesIO()
    file.add_from_pillow(second)
    file.save(out, primary_index=1, **LOSSLESS)
    return out.getvalue()


def lie(kind):
    """A large picture that says it is small, cut behind the header of its coding."""
    data = bytearray(saved(Image.new("RGB", (16384, 8000), (200, 30, 30)), kind, quality=30))
    struct.pack_into(">II", data, data.index(b"ispe") + 8, 40, 30)
    return bytes(data[:data.index(b"mdat") + 64])


def main():
    pillow_heif.register_heif_opener()
    im, folder = photo(), HERE / "fuzz" / "corpus" / "heif"
    alpha = im.convert("RGBA")
    alpha.putalpha(Image.linear_gradient("L").resize(im.size))
    near = {"quality": 100, "subsampling": "4:4:4"}
    files = {
        "lossless.heic": (0, saved(im, "HEIF", **LOSSLESS)),
        "lossy.heic": (2, saved(im, "HEIF", quality=60, chroma=444)),
        "grey.heic": (2, saved(im.convert("L"), "HEIF", quality=80)),
        "alpha.heic": (0, saved(alpha, "HEIF", **LOSSLESS)),
        "ten_bits.heic": (2, ten_bits(im)),
        "second.heic": (0, two(im.transpose(Image.FLIP_LEFT_RIGHT), im)),
        "grid.heic": (0, grid(photo(128, 64), (100, 50), 64, 1)),
        "exif.heic": (0, saved(im, "HEIF", exif=exif(6), **LOSSLESS)),          # irot and EXIF say it; it is turned once
        "lossy.avif": (2, saved(im, "AVIF", quality=80, subsampling="4:4:4")),
        "grey.avif": (2, saved(im.convert("L"), "AVIF", quality=80)),
        "alpha.avif": (2, saved(alpha, "AVIF", **near)),
        "multiplied.avif": (10, saved(alpha, "AVIF", alpha_premultiplied=True, **near)),
        "animated.avif": (2, saved(im, "AVIF", save_all=True, append_images=[im.transpose(0)], **near))}
    for o in (3, 5, 6, 7):
        files[f"turn{o}.avif"] = (2, saved(im, "AVIF", exif=exif(o)[6:], **near))
    files |= {f"lie.{end}": (None, None if (folder / f"lie.{end}").exists() else lie(kind)) for end, kind in (("heic", "HEIF"), ("avif", "AVIF"))}
    lines = []
    for name, (tolerance, data) in sorted(files.items()):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_bytes(data)
        if tolerance is None:
            continue
        picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        w, h = picture.size
        points = "".join("%02x%02x%02x" % picture.getpixel(((2 * i + 1) * w // 10, (2 * j + 1) * h // 8)) for j in range(4) for i in range(5))
        lines.append(f"{name} {w} {h} {tolerance} {points}\n")
    (HERE / "golden" / "heif.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
