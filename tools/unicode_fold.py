#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/base/fold_table.h: which letters are composed of which (canonically), and which have a small form.

    python3 tools/unicode_fold.py > src/base/fold_table.h

From the Unicode data of the Python that runs it. Hangul syllables, which follow a formula, and what lies beyond the basic plane are left out.
"""
import unicodedata


def rows(cells, width=120, indent="    "):
    line = indent
    for cell in cells:
        if len(line) + len(cell) + 1 > width:
            yield line.rstrip()
            line = indent
        line += cell + " "
    yield line.rstrip()


def composed():
    for code in range(0x10000):
        parts = unicodedata.decomposition(chr(code)).split()
        if parts and not parts[0].startswith("<"):
            first, second = int(parts[0], 16), int(parts[1], 16) if len(parts) > 1 else 0
            if first < 0x10000 and second < 0x10000:
                yield code, first, second


def small():
    """Runs of every or every second letter with the same distance to its small form."""
    pairs = [(c, ord(chr(c).lower()) - c) for c in range(0x10000) if len(chr(c).lower()) == 1 and chr(c).lower() != chr(c)]
    at = 0
    while at < len(pairs):
        best, step = 1, 1
        for s in (1, 2):
            n = 1
            while at + n < len(pairs) and pairs[at + n] == (pairs[at][0] + n * s, pairs[at][1]):
                n += 1
            if n > best:
                best, step = n, s
        yield pairs[at][0], pairs[at + best - 1][0], step, pairs[at][1]
        at += best


print(f"""/* SPDX-License-Identifier: Apache-2.0 */
/* Made by tools/unicode_fold.py from Unicode {unicodedata.unidata_version}. */

/* A letter and what it is composed of; 0: of one only. */
static const uint16_t composed[][3] = {{""")
for line in rows(f"{{0x{a:X}, 0x{b:X}, 0x{c:X}}}," for a, b, c in composed()):
    print(line)
print("""};

/* From, to, every how manyth, distance to the small form. */
static const int32_t small[][4] = {""")
for line in rows(f"{{0x{a:X}, 0x{b:X}, {s}, {d}}}," for a, b, s, d in small()):
    print(line)
print("};")
