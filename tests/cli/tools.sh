#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fovea selftest and fovea tune: exit codes, JSON, the table's file. The program is $FOVEA.
set -eu
. "$(dirname "$0")/common/expect.sh"

expect selftest 0 '"passed": true' selftest op=relu --json
expect selftest_text 0 ' 0 failed' selftest op=linear --all
expect selftest_cap 0 '"isa": "base"' selftest op=global_avg_pool2d isa=base --json
expect selftest_unknown_op 2 "no op is called 'rleu'" selftest op=rleu
expect selftest_unknown_isa 2 "use base, avx2" selftest isa=mmx
expect selftest_word 2 "usage:" selftest relu

expect tune_no_output 2 "-o FILE is needed" tune resnet18
expect tune_unknown_model 2 'did you mean "resnet18"' tune resnet19x -o "$work/x.json" mode=infer
expect tune_bad_mode 2 "train or infer" tune resnet18 mode=eval -o "$work/x.json"
expect tune_no_folder 3 "$work/none" tune resnet18 mode=infer batch_size=1 input=3x32x32 threads=1 -o "$work/none/x.json"
expect tune 0 '"shapes":' tune resnet18 mode=infer batch_size=1 input=3x32x32 threads=1 -o "$work/x.json" --json
expect tune_used 0 '"median_ms":' bench resnet18 infer batch_size=1 input=3x32x32 threads=1 steps=2 warmup=0 kernel_table="$work/x.json" --json
grep -q '"conv2d' "$work/x.json" || fail tune "the table has no convolution"
echo '{"cpu": 1' > "$work/bad.json"
expect tune_bad_table 3 "bad.json" bench resnet18 infer batch_size=1 input=3x32x32 threads=1 kernel_table="$work/bad.json"
expect tune_no_table 3 "none.json" bench resnet18 infer batch_size=1 input=3x32x32 threads=1 kernel_table="$work/none.json"

exit $failed
