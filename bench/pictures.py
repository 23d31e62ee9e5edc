#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the folder of JPEG photos that the loading benchmark reads: class folders of about a thousand pictures of natural size.

    bench/pictures.py OUT SOURCE...

A SOURCE is a folder or a tar archive; the JPEGs in it become a class. Hidden, empty and doubled files are left out.
"""

import hashlib
import pathlib
import sys
import tarfile


def files_of(source):
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file():
                yield path.name, path.read_bytes()
        return
    with tarfile.open(source) as archive:
        for member in archive:
            if member.isfile():
                yield pathlib.PurePosixPath(member.name).name, archive.extractfile(member).read()


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    out, seen, total = pathlib.Path(sys.argv[1]), set(), 0
    for source in map(pathlib.Path, sys.argv[2:]):
        folder, count = out / source.stem, 0
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files_of(source):
            digest = hashlib.sha256(data).digest()
            if name.startswith(".") or not data.startswith(b"\xff\xd8\xff") or digest in seen:
                continue
            seen.add(digest)
            (folder / f"{count:05d}.jpg").write_bytes(data)
            count += 1
        total += count
        print(f"{folder}: {count} pictures")
    print(f"{total} pictures, {len(sys.argv) - 2} classes")
    return 0 if total else 1


if __name__ == "__main__":
    sys.exit(main())
