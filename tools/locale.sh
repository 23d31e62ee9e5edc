#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What depends on the locale stands in src/base/text.c alone: a program that embeds the library may run in one with a
# decimal comma or with other letters. Refused in src/: numbers with a fraction through libc's printf and scanf, their v
# forms (whose format is anybody's), strtod and its like, letters by <ctype.h>, the locale itself. The program (cli/)
# never leaves the C locale that it starts in, so printf is right there; what would change that is refused, and what
# reads numbers.
# Usage: tools/locale.sh [BUILD]   (BUILD is not looked at)
set -eu
cd "$(dirname "$0")/.."
files=$(find src cli -name '*.[ch]' 2> /dev/null | grep -v '^src/base/text\.c$' | LC_ALL=C sort)
[ -n "$files" ] || { echo "locale: no sources"; exit 0; }
# shellcheck disable=SC2086
LC_ALL=C awk '
function fail(line, text) { print FILENAME ":" line ": " text; bad = 1 }
# The line without comments; strings stay where `keep`, else only their quotes.
function code(s, keep, out, i, c, quote) {
    out = ""; quote = ""
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        if (in_comment) { if (substr(s, i, 2) == "*/") { in_comment = 0; i++ } continue }
        if (quote != "") {
            if (c == quote) quote = ""
            if (keep || quote == "") out = out c
            if (c == "\\") { i++; if (keep) out = out substr(s, i, 1) }
            continue
        }
        if (substr(s, i, 2) == "//") break
        if (substr(s, i, 2) == "/*") { in_comment = 1; i++; continue }
        if (c == "\"" || c == "\047") quote = c
        out = out c
    }
    return out
}
# The text of a call from its bracket on to the one that closes it; "" while that has not come.
function whole_call(s, i, c, depth, quote) {
    depth = 0; quote = ""
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        if (quote != "") { if (c == "\\") i++; else if (c == quote) quote = ""; continue }
        if (c == "\"" || c == "\047") quote = c
        else if (c == "(") depth++
        else if (c == ")" && --depth == 0) return substr(s, 1, i)
    }
    return ""
}
function check_formats(s, call) {
    while (match(s, calls)) {
        s = substr(s, RSTART + RLENGTH - 1)
        call = whole_call(s)
        if (call == "") return 0
        gsub(/%%/, "", call)
        if (call ~ fraction)
            fail(begin, "libc writes or reads a number with a fraction here, as the locale says: use fvi_format, " \
                "fvi_text_add, fvi_print_double or fvi_parse_double")
    }
    return 1
}
BEGIN {
    before = "(^|[^A-Za-z0-9_>.])"
    calls = before "(s|f|d|sn|as|fw|w|sw)?(printf|scanf)[ \t]*\\("
    open_formats = before "v[a-z]*(printf|scanf)[ \t]*\\("
    fraction = "%[-+ #0\047]*[0-9*]*([.][0-9*]*)?(h|l|L|ll)?[aAeEfFgG]"
    reading = before "(strto(d|f|ld)(_l)?|ato(f)|strfrom(d|f|l)|[efg]cvt(_r)?)[ \t]*\\("
    letters = before "(is(alpha|alnum|space|blank|upper|lower|print|graph|punct|cntrl)|to(upper|lower)|" \
        "str(n)?case(cmp|str)|strcoll|strxfrm)(_l)?[ \t]*\\("
    locales = before "(setlocale|newlocale|uselocale|duplocale|localeconv|nl_langinfo)[ \t]*\\("
}
FNR == 1 { in_comment = 0; pending = ""; library = FILENAME ~ /^src\// }
{
    was = in_comment
    text = code($0, 0)
    if (text ~ locales) fail(FNR, "the locale is the program\047s, and src/base/text.c knows it")
    if (text ~ reading) fail(FNR, "reads a number as the locale says: fvi_parse_double")
    if (!library) next
    if (text ~ open_formats) fail(FNR, "a format that may hold anything: fvi_vprint")
    if (text ~ letters) fail(FNR, "letters as the locale says: fvi_same_word, or the characters themselves")
    if (pending == "" && text !~ calls) next
    in_comment = was
    if (pending == "") begin = FNR
    pending = pending code($0, 1)
    if (check_formats(pending)) pending = ""
}
END { exit bad }
' $files || { echo "locale: what depends on the locale belongs into src/base/text.c" >&2; exit 1; }
echo "locale: ok"
