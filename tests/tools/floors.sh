#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tools/floors.sh must find each kind of violation and be silent about code that keeps the rules. Argument: source folder.
set -eu
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# expect NAME TEXT PATH: the file PATH with the lines of standard input must be refused with TEXT ("" = accepted).
expect() {
    rm -rf "$work/t"
    mkdir -p "$work/t/tools" "$(dirname "$work/t/$3")"
    cp "$source/tools/floors.sh" "$work/t/tools/"
    { echo '/* SPDX-License-Identifier: Apache-2.0 */'; cat; } > "$work/t/$3"
    if output=$(sh "$work/t/tools/floors.sh" none 2>&1); then result=accepted; else result=refused; fi
    wanted=refused
    [ -n "$2" ] || wanted=accepted
    case $result:$output in
    $wanted:*"$2"*) echo "$1: ok" ;;
    *) echo "$1: FAILED ($result): $output"; failed=1 ;;
    esac
}

expect up "goes up (ir is floor 1, compile is floor 4)" src/ir/a.c <<'E'
#include "compile/pass.h"
E
expect sideways "goes sideways" src/loss/a.c <<'E'
#include "optim/optim.h"
E
expect down "" src/train/a.c <<'E'
#include "base/base.h"
#include "train/trainer.h"
#include "fovea/base.h"
#include "near.h"
E
expect cpu_sees_io "sees base, ir and ops only" src/cpu/a.c <<'E'
#include "io/zip.h"
E
expect cli_internal "public headers and cli/ only" cli/main.c <<'E'
#include "base/base.h"
E
expect cli_public "" cli/main.c <<'E'
#include "fovea/base.h"
#include "command_list.inc"
#include "cli/table.h"
int main(void) { printf("ok"); exit(0); }
E
expect public_internal "a public header includes" include/fovea/a.h <<'E'
#include "base/base.h"
E
expect dnnl "oneDNN headers belong" src/cpu/k_conv.c <<'E'
#include <oneapi/dnnl/dnnl.h>
E
expect dnnl_shim "" src/cpu/dnnl_shim.c <<'E'
#include <oneapi/dnnl/dnnl.h>
#include "cpu/dnnl_shim.h"
E
expect generated "goes up" src/ir/a.c <<'E'
#include "op_list.inc"
E
expect unknown_folder "folder without a floor" src/attic/a.c <<'E'
E
for call in 'abort()' 'exit(1)' 'printf("x")' 'perror("x")' 'fputs("x", stderr)' 'x = 1; puts ("y")'; do
    expect "banned: $call" "does not print or end" src/base/a.c <<E
static void f(void) { $call; }
E
done
expect allowed_calls "" src/base/a.c <<'E'
/* exit(1) and
   printf() in a comment */
static void f(void) { snprintf(a, 3, "abort() \" stderr"); job->exit(1); fv_exit(); sexit(2); vsnprintf(a); } // abort()
E
expect switch_op "switch over ops" src/compile/a.c <<'E'
static void f(void) { switch (node->op) { default: break; } }
E
expect switch_in_ops "" src/ops/a.c <<'E'
static void f(void) { switch (op) { default: break; } }
E
expect switch_other "" src/compile/a.c <<'E'
static void f(void) { switch (stop) { default: break; } switch (op->kind) { default: break; } }
E
long_body() { echo 'void f(void)'; echo '{'; i=0; while [ $i -lt 90 ]; do echo ';'; i=$((i + 1)); done; echo '}'; }
long_body | expect long_function "a function of 92 lines" src/base/a.c
{ echo '/* long function: a table */'; long_body; } | expect excused_function "" src/base/a.c
i=0
while [ $i -lt 900 ]; do echo ';'; i=$((i + 1)); done > "$work/many"
expect long_file "901 lines" src/base/a.c < "$work/many"

exit $failed
