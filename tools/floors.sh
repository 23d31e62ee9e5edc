#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the rules of docs/design.md that a compiler does not: floors (an #include or a symbol may only reach a lower
# floor or its own folder), calls that a library must not make, no switch over ops, length of files and functions.
# Usage: tools/floors.sh [BUILD]   BUILD: a build folder whose object files are read too (build/check).
set -eu
cd "$(dirname "$0")/.."
build=${1:-build/check}
failed=0

# Folder and floor. Folders of one floor do not see each other.
floors="base:0 ir:1 ops:2 io:2 image:2 cpu:3 cuda:3 dist:3 compile:4 onnx:4 nn:5 data:5 synth:5 optim:5 loss:5 metrics:5 page:5
models:6 tasks:7 predict:8 report:8 train:9 search:10 cli:11"

# Shared by both awk programs: floor[], may(from, to) = "" or the reason why not.
rules='
function load(text, n, i, parts, pair) {
    n = split(text, parts, /[ \n]+/)
    for (i = 1; i <= n; i++) { split(parts[i], pair, ":"); floor[pair[1]] = pair[2] + 0 }
}
function may(from, to) {
    if (from == to) return ""
    if (floor[from] < floor[to]) return "goes up (" from " is floor " floor[from] ", " to " is floor " floor[to] ")"
    if (floor[from] == floor[to]) return "goes sideways (" from " and " to " are both floor " floor[to] ")"
    if ((from == "cpu" || from == "cuda" || from == "dist") && to != "base" && to != "ir" && to != "ops")
        return "is not allowed (" from " sees base, ir and ops only)"
    return ""
}
'

files=$(find src cli include -name '*.[ch]' 2>/dev/null | LC_ALL=C sort)
if [ -n "$files" ]; then
    # shellcheck disable=SC2086
    awk -v floors="$floors" "$rules"'
    function fail(text) { print FILENAME ":" FNR ": " text; bad = 1 }
    # The line without comments and the insides of strings; in_comment lasts over lines.
    function code(s, out, i, c, quote) {
        out = ""; quote = ""
        for (i = 1; i <= length(s); i++) {
            c = substr(s, i, 1)
            if (in_comment) { if (substr(s, i, 2) == "*/") { in_comment = 0; i++ } continue }
            if (quote != "") { if (c == "\\") i++; else if (c == quote) { quote = ""; out = out c } continue }
            if (substr(s, i, 2) == "//") break
            if (substr(s, i, 2) == "/*") { in_comment = 1; i++; continue }
            if (c == "\"" || c == "\047") quote = c
            out = out c
        }
        return out
    }
    function folder_of(path, parts) { split(path, parts, "/"); return parts[1] == "src" ? parts[2] : parts[1] }
    function check_include(path, to, why) {
        if (path ~ /^fovea\//) return
        if (own == "include") { fail("a public header includes \"" path "\""); return }
        if (path == "op_list.inc") to = "ops"
        else if (path == "kernel_list.inc") to = "cpu"
        else if (path == "model_list.inc") to = "models"
        else if (path == "optimizer_list.inc" || path == "schedule_list.inc") to = "optim"
        else if (path == "task_list.inc") to = "tasks"
        else if (path == "format_list.inc") to = "data"
        else if (path == "command_list.inc" || path !~ /\//) to = own
        else { to = path; sub(/\/.*/, "", to) }
        if (own == "cli") { if (to != "cli") fail("cli includes \"" path "\": public headers and cli/ only"); return }
        if (!(to in floor)) { fail("\"" path "\" is in no known folder"); return }
        why = may(own, to)
        if (why != "") fail("\"" path "\" " why)
        else if (own == "cpu" && to == "ops" && path !~ /\.h$/) fail("\"" path "\": only headers of ops")
    }
    function end_file() { if (lines > 800 && !excused_file) { print last ": " lines " lines (at most 800, or a comment \"long file: why\")"; bad = 1 } }
    BEGIN { load(floors) }
    FNR == 1 {
        end_file()
        own = folder_of(FILENAME); in_comment = 0; excused_file = 0; excused = 0; start = 0; last = FILENAME
        shim = FILENAME ~ /^src\/cpu\/dnnl_shim\.[ch]$/
        if (own != "include" && !(own in floor)) fail("folder without a floor: tools/floors.sh lists them")
        if ($0 !~ /SPDX-License-Identifier: Apache-2.0/) fail("the first line is not the licence tag")
    }
    { lines = FNR }
    /long file: / { excused_file = 1 }
    /long function: / { excused = 1 }
    /^[ \t]*#[ \t]*include/ {
        if ($0 ~ /dnnl\.h|dnnl_|oneapi\//  && $0 !~ /dnnl_shim\.h/ && !shim) fail("oneDNN headers belong to src/cpu/dnnl_shim.[ch]")
        if (match($0, /"[^"]*"/)) check_include(substr($0, RSTART + 1, RLENGTH - 2))
        next
    }
    {
        text = code($0)
        if (own != "include" && own != "cli") {
            if (text ~ /(^|[^A-Za-z0-9_>.])(abort|exit|_exit|_Exit|quick_exit|printf|vprintf|puts|putchar|perror|system)[ \t]*\(/ ||
                text ~ /(^|[^A-Za-z0-9_])(stdout|stderr)([^A-Za-z0-9_]|$)/)
                fail("a library does not print or end the process: " text)
            if (own != "ops" && text ~ /switch[ \t]*\((.*[^A-Za-z0-9_])?op[ \t]*\)/)
                fail("switch over ops: ask a property of the record")
        }
        if (text ~ /^\{/) start = FNR
        if (text ~ /^\}/ && start) {
            if (FNR - start + 1 > 80 && !excused) fail("a function of " FNR - start + 1 " lines (at most 80, or a comment \"long function: why\")")
            start = 0; excused = 0
        }
    }
    END { end_file(); exit bad }
    ' $files || failed=1
fi

# Symbols: what an object file needs must be defined in its own folder or on a lower floor; the program needs fv_ only.
objects=""
for object in $(find "$build/CMakeFiles" -name '*.c.o' 2>/dev/null | grep -E '/fovea_(core|isa_[a-z0-9]*|program)\.dir/(src|cli)/'); do
    source=${object##*.dir/}
    [ ! -f "${source%.o}" ] || objects="$objects $object"       # a removed source leaves its object behind
done
if [ -n "$objects" ]; then
    # shellcheck disable=SC2086
    nm -A -g $objects | awk -v floors="$floors" "$rules"'
    BEGIN { load(floors) }
    {
        path = $1; sub(/:.*/, "", path); sub(/.*\.dir\//, "", path); sub(/\.o$/, "", path)
        source = path
        sub(/^src\//, "", path); sub(/\/.*/, "", path)
        name = $NF; type = $(NF - 1)
        if (type == "U") { n++; from[n] = path; file[n] = source; wants[n] = name }
        else { at[name] = path; where[name] = source }
    }
    END {
        for (i = 1; i <= n; i++) {
            if (!(wants[i] in at)) continue
            why = may(from[i], at[wants[i]])
            if (why == "" && from[i] == "cli" && at[wants[i]] != "cli" && wants[i] !~ /^fv_/) why = "is internal"
            if (why != "") { print file[i] ": symbol " wants[i] " of " where[wants[i]] " " why; bad = 1 }
        }
        exit bad
    }' || failed=1
else
    echo "floors: no object files in $build, symbols not checked" >&2
fi

[ $failed = 0 ] && echo "floors: ok"
exit $failed
