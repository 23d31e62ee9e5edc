#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the program says about itself: docs/configuration.md is its reference, help explains commands and keys, the manual page
# has no fault that a checker finds, bash completion offers commands, keys, choices, models, variants and paths. The program
# is $FOVEA.
set -eu
. "$(dirname "$0")/common/expect.sh"

# ---- the reference
"$FOVEA" config --reference > "$work/configuration.md"
if cmp -s "$work/configuration.md" "$root/docs/configuration.md"; then
    echo "reference: ok"
else
    fail "reference" "docs/configuration.md is not what the program prints: fovea config --reference -o docs/configuration.md"
    diff "$root/docs/configuration.md" "$work/configuration.md" | head -20 || true
fi
expect reference_file 0 "" config --reference -o "$work/again.md"
cmp "$work/again.md" "$work/configuration.md" || fail "reference_file"
expect reference_json 0 '"name": "learning_rate", "heading": "Optimizer"' config --reference --json
expect reference_alone 2 "stands alone" config --reference batch_size=3
expect reference_no_folder 3 "none/x.md" config --reference -o "$work/none/x.md"
if command -v python3 > /dev/null; then
    "$FOVEA" config --reference --json | python3 -c '
import json, sys
r = json.load(sys.stdin)
assert len(r["keys"]) > 60 and r["models"], r
for k in r["keys"]: assert k["help"] and k["example"] and k["heading"], k
' || fail "reference_json" "not the JSON that it should be"
fi
# A full disk leaves the old file and nothing beside it.
if [ -e /dev/full ]; then
    got=0
    "$FOVEA" config --reference > /dev/full 2> "$work/err" || got=$?
    [ $got = 1 ] && grep -q "cannot write the output" "$work/err" || fail "full" "exit code $got"
fi

# ---- help
for command in $("$FOVEA" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    expect "help_$command" 0 "fovea $command" help "$command"
    expect "flag_$command" 0 "fovea $command" "$command" --help
done
# A flag that a command does not take is an error; help names those that it takes, and it takes what it names.
for command in $("$FOVEA" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    "$FOVEA" help "$command" | sed -n '/^flags/,/^$/p' > "$work/flags"
    for flag in "-o nothing/file" --json --quiet --reference --man --ops --continue; do
        # shellcheck disable=SC2086
        grep -q "^  ${flag% *} " "$work/flags" || expect "$command $flag" 2 "is no flag of this command" $command $flag
    done
done
for command in eval data train summary bench info selftest; do
    expect "no_output_$command" 2 "-o is no flag of this command" $command x -o "$work/x"
done
for command in "help train" "help lr" "config model=resnet18" "help --man" "help completion=bash"; do
    # shellcheck disable=SC2086
    expect "output of $command" 0 "" $command -o "$work/written"
    # shellcheck disable=SC2086
    "$FOVEA" $command | cmp -s - "$work/written" && [ ! -s "$work/out" ] || fail "output of $command"
done
expect output_nameless 2 "-o needs a name: -o FILE" config -o
expect output_empty 2 "-o needs a name: -o FILE.onnx" export x -o ""
expect output_folder 3 "is a folder, not a file" config --reference -o "$work"
expect help_one 2 "at a time" help train --man
expect synth_alone 2 "stand alone" synth --list -o "$work/x"
expect synth_keys 0 '"classes": {"default": "8"' synth --keys --json
expect logits_alone 2 "--logits is for --json" predict x y --logits
expect help_key 0 "also      lr lr0" help learning_rate
expect help_alias 0 "learning_rate=" help lr
expect help_choices 0 "adam adamw sgd" help optimizer
expect help_keys 0 "max_grad_norm" help train
expect help_nothing 2 'there is no command and no key "nothing"' help nothing
expect help_setting 2 "bash, zsh or fish" help completion=csh
expect help_unknown 2 "is no setting of this command" help complete=bash

# ---- the manual page
expect manual 0 "" help --man -o "$work/fovea.1"
for part in NAME SYNOPSIS "EXIT STATUS" "CONFIGURATION KEYS" "fovea train" gradient_accumulation_steps; do
    sed 's/\\-/-/g' "$work/fovea.1" | grep -qF -- "$part" || fail "manual" "no $part"
done
if command -v mandoc > /dev/null; then
    mandoc -T lint -W warning "$work/fovea.1" > "$work/lint" 2>&1 || { fail "mandoc"; cat "$work/lint"; }
elif command -v groff > /dev/null; then
    groff -man -Tutf8 -ww -z "$work/fovea.1" > "$work/lint" 2>&1
    [ ! -s "$work/lint" ] || { fail "groff"; cat "$work/lint"; }
else
    echo "manual: SKIPPED, neither mandoc nor groff is there to check it"
fi

# ---- completion
mkdir -p "$work/configs/deep" "$work/empty folder"
cat > "$work/configs/a.json" << 'END'
{"model": "resnet18", // a comment
 "variants": {"nano": {}, "teacher": {}}}
END
# offers WANTED...: $work/offered has a line for all of them, and none for !WORD.
offers() {
    for word in "$@"; do
        case $word in
        !*) ! grep -qxF -- "${word#!}" "$work/offered" || fail "complete $name" "it offers ${word#!}" ;;
        *) grep -qxF -- "$word" "$work/offered" || { fail "complete $name" "no $word in:"; cat "$work/offered" "$work/err"; } ;;
        esac
    done
    echo "complete $name: done"
}
if command -v bash > /dev/null; then
    "$FOVEA" help completion=bash > "$work/fovea.bash"
    bash -n "$work/fovea.bash" || fail "bash" "the script is no bash"
    ln -sf "$FOVEA" "$work/fovea"
    # completes NAME LINE WANTED...: pressing TAB at the end of LINE offers all WANTED; !WORD: does not offer it.
    completes() {
        name=$1 line=$2
        shift 2
        (cd "$work" && PATH="$work:$PATH" bash -c '
            source ./fovea.bash
            COMP_LINE=$1 COMP_POINT=${#1}
            _fovea
            printf "%s\n" "${COMPREPLY[@]}"' bash "$line") > "$work/offered" 2> "$work/err"
        offers "$@"
    }
    completes command "fovea tr" train '!tune'
    completes commands "fovea " train eval config help synth
    completes key "fovea train optim" optimizer= '!opt='
    completes group "fovea train dat" data= data.root= data.split.val=
    completes choice "fovea train scheduler=" cosine warmup_cosine constant
    completes choice_part "fovea train configs/a.json scheduler=warm" warmup_cosine '!cosine'
    completes alias "fovea train opt=ad" adam adamw '!sgd'
    completes long "fovea train --optimizer=s" sgd
    completes bool "fovea train enable_amp=" true false
    completes model "fovea summary res" resnet18 resnet50
    completes model_key "fovea train model=resnet" resnet18
    completes flag "fovea train --d" --dry-run
    completes flag_output "fovea export x -" -o --json '!--man'
    completes flag_no_output "fovea train x -" --dry-run '!-o'
    completes flag_help "fovea help -" -o --man '!--json' '!--quiet'
    completes flags "fovea eval runs/a --" --json --quiet
    completes own "fovea export runs/a op" opset= '!optimizerx='
    completes own_choice "fovea bench resnet18 train dtype=" f32 bf16
    completes second "fovea bench resnet18 " train infer
    completes literal "fovea data " check
    completes table "fovea synth planes per" per_class=
    completes variant "fovea train configs/a.json +" +nano +teacher
    completes variant_part "fovea train configs/a.json +te" +teacher '!+nano'
    completes file "fovea train conf" configs
    completes file_deep "fovea train configs/" configs/a.json configs/deep
    completes path_value "fovea train data=conf" configs
    completes path_space "fovea data check emp" "empty folder"
    completes output "fovea export runs/a -o conf" configs
    completes help "fovea help learning" learning_rate
    completes nothing "fovea nosuch " '!train'
else
    echo "completion: SKIPPED, no bash"
fi
for shell in zsh fish; do
    "$FOVEA" help completion=$shell > "$work/fovea.$shell"
    if command -v $shell > /dev/null; then $shell -n "$work/fovea.$shell" || fail "$shell" "the script does not parse"; fi
done
if command -v zsh > /dev/null; then
    # The completion system's words, reduced to what they print.
    cat > "$work/system.zsh" << 'END'
compdef() { : }
compset() { PREFIX=${PREFIX#*=} }
_files() { print -rl -- ${PREFIX}*(N) }
_describe() { print -rl -- "${(@)${(@P)4}%%:*}" }
source $1/fovea.zsh
words=("${(@z)2}")
[[ $2 == *' ' ]] && words+=('')
CURRENT=$#words PREFIX=${(Q)words[-1]}
_fovea
END
    completes_zsh() {
        name="zsh $1" line=$2
        shift 2
        (cd "$work" && PATH="$work:$PATH" zsh -f ./system.zsh "$work" "$line") > "$work/offered" 2> "$work/err"
        offers "$@"
    }
    completes_zsh command "fovea tr" train '!tune'
    completes_zsh key "fovea train optim" optimizer= '!opt='
    completes_zsh choice "fovea train configs/a.json scheduler=warm" scheduler=warmup_cosine '!scheduler=cosine'
    completes_zsh flags "fovea eval runs/a --" --json --quiet
    completes_zsh variant "fovea train configs/a.json +te" +teacher '!+nano'
    completes_zsh file "fovea train configs/" configs/a.json configs/deep
    completes_zsh path_value "fovea train data=conf" configs
    completes_zsh nothing "fovea nosuch " '!train'
else
    echo "completion in zsh: SKIPPED, no zsh"
fi
if command -v fish > /dev/null; then
    # fish_completes LINE WANTED
    fish_completes() {
        (cd "$work" && PATH="$work:$PATH" HOME="$work" fish --no-config -c 'source fovea.fish; complete -C $argv[1]' "$1") > "$work/offered" 2>&1
        cut -f 1 "$work/offered" | grep -qxF -- "$2" || { fail "fish" "no $2 for $1"; cat "$work/offered"; }
    }
    ln -sf "$FOVEA" "$work/fovea"
    fish_completes "fovea tr" train
    fish_completes "fovea train optim" optimizer=
    fish_completes "fovea train scheduler=" scheduler=cosine
    fish_completes "fovea train configs/a.json +" +nano
    fish_completes "fovea train conf" configs/
    fish_completes "fovea train data=conf" data=configs/
    echo "fish: done"
fi
exit $failed
