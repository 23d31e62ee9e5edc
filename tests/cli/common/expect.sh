# SPDX-License-Identifier: Apache-2.0
# For the scripts of tests/cli, which read it first: a working folder that is taken away at the end, and checks that go on after a
# failure. A script ends with `exit $failed`.
#   $root    source folder          $work    working folder, the current one
#   $input   standard input of the program, if set      $run     words before the program, if set
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'chmod -R u+rwx "$work" 2> /dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
export FOVEA_RUN_ROOT="$work/runs" OMP_WAIT_POLICY=passive
failed=0 input='' run=''

# expect NAME CODE TEXT ARGUMENTS...: exit code CODE, and TEXT, unless empty, somewhere in the output (out, err, output).
expect() {
    name=$1 code=$2 text=$3
    shift 3
    got=0
    $run "$FOVEA" "$@" > "$work/out" 2> "$work/err" < "${input:-/dev/null}" || got=$?
    cat "$work/out" "$work/err" > "$work/output"
    if [ $got = "$code" ] && { [ -z "$text" ] || grep -qF -- "$text" "$work/output"; }; then
        echo "$name: ok"
    else
        echo "$name: FAILED, exit code $got (expected $code), without: $text"
        head -c 10000 "$work/output"
        failed=1
    fi
}

# also NAME TEXT FILE: TEXT is in FILE, which may be binary.
also() {
    if grep -qaF -- "$2" "$3"; then echo "$1: ok"; else echo "$1: FAILED, $3 lacks: $2"; head -c 10000 "$3"; failed=1; fi
}

# same NAME A B: the files are equal.
same() {
    if cmp -s "$2" "$3"; then echo "$1: ok"; else echo "$1: FAILED, $2 and $3 differ"; failed=1; fi
}

# fail NAME [WHY]: the check has failed.
fail() {
    echo "$1: FAILED${2:+, $2}"
    failed=1
}
