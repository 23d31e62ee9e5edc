#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What README.md and docs/*.md show is true. Argument: source folder; FOVEA: the program. DOCS: pages, instead of all.
#
# What stands behind ``` says what is done with a block:
#   sh run             runs, line after line, in a folder of the page's own; `fovea` is made small (see below)
#   json config NAME   is written to NAME there; `fovea config NAME` must take it
#   c run NAME         is written to NAME, compiled against an installed copy of the library and run
#   c compile NAME     the same without running
#   text NAME          is written to NAME
#   c excerpt=PATH     stands so in PATH
# What stands between lines `<!-- run` and `-->` is run too: what a page takes as given.
# In every block of commands, and in indented ones, each line `fovea ...` must have a known command, known flags and known
# keys, each line `./dev WORD` a known word. A comment begins with # or after two blanks. Links to files must lead somewhere.
#
# In `sh run`, training takes 2 small steps, sets are tiny, benchmarks short: settings that the wrapper puts before those
# that are written, so a page that shows its own max_steps gets it.
set -eu
source=$(cd "$1" && pwd)
build=${BUILD:-$(cd .. && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
page='' number=0

fail() { echo "$page:$number: $*"; failed=1; }

# ---- a small fovea --------------------------------------------------------------------------------------------------------
mkdir "$work/bin" "$work/lines"
cat > "$work/bin/fovea" << END
#!/bin/sh
command=\$1
[ \$# = 0 ] || shift
case \$command in
train) set -- max_steps=2 validate_every=2 save_every=2 batch_size=4 image_size=32 warmup_epochs=0 threads=1 data.workers=1 "\$@" ;;
synth) set -- per_class=10 pictures=10 size=32 "\$@" ;;
bench) set -- steps=2 warmup=0 threads=1 "\$@" ;;
tune) set -- batch_size=1 input=3x32x32 mode=infer threads=1 "\$@" ;;
selftest) set -- op=relu "\$@" ;;
esac
exec "$FOVEA" "\$command" "\$@"
END
chmod +x "$work/bin/fovea"
export OMP_WAIT_POLICY=passive

# ---- command lines ------------------------------------------------------------------------------------------------------

# The command's own settings and flags, once for each command.
known() {
    [ -f "$work/lines/$1" ] || { "$FOVEA" --complete "$1" "" && "$FOVEA" --complete "$1" -; } 2> /dev/null |
        sed 's/	.*//' > "$work/lines/$1"
    grep -qxF -e "$2" "$work/lines/$1"
}

check_word() {
    case $2 in
    *...* | *…* | '['* | *']' | '|' | '<'* | '>'*) ;;
    --*=*) check_word "$1" "${2#--}" ;;
    -o) known "$1" -o || fail "fovea $1 has no flag -o" ;;
    --*)
        key=$(printf %s "${2#--}" | tr - _)
        known "$1" "$2" || known "$1" "$key=" || "$FOVEA" help "$key" > /dev/null 2>&1 || fail "fovea $1 has no flag $2" ;;
    model_args.*=*) ;;
    [a-z]*=*) known "$1" "${2%%=*}=" || "$FOVEA" help "${2%%=*}" > /dev/null 2>&1 || fail "fovea $1 has no key ${2%%=*}" ;;
    esac
}

check_line() {
    line=${1#"\$ "}
    line=${line%%  *}
    line=${line%% #*}
    case $line in
    ./dev\ *)
        word=${line#./dev }
        word=${word%% *}
        sed -n 's/^  \([a-z]*\)  *.*/\1/p' "$source/dev" | grep -qx -e "$word" || fail "./dev has no word $word" ;;
    fovea\ *)
        set -f
        # shellcheck disable=SC2086
        set -- $line
        set +f
        command=${2:-}
        case $command in
        --version | --help) return ;;
        esac
        "$FOVEA" help "$command" > /dev/null 2>&1 && known "$command" --help ||
            { fail "fovea has no command $command"; return; }
        shift 2
        for word; do
            case $word in
            '>' | '|' | ';' | '&&') break ;;
            *) check_word "$command" "$word" ;;
            esac
        done ;;
    esac
}

# ---- C --------------------------------------------------------------------------------------------------------------------

# Installs the build once, and compiles $1 (in the current folder) to $1.out.
compile() {
    if [ ! -d "$work/installed" ]; then
        DESTDIR="$work/installed" cmake --install "$build" > "$work/install.log" || { cat "$work/install.log"; return 1; }
        for part in man/man1/fovea.1 bash-completion/completions/fovea zsh/site-functions/_fovea fish/vendor_completions.d/fovea.fish; do
            find "$work/installed" -path "*/share/$part" -size +0 | grep -q . || { echo "not installed: $part"; return 1; }
        done
    fi
    cc=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
    sanitize=$(sed -n 's/^FOVEA_SANITIZE:[A-Z]*=//p' "$build/CMakeCache.txt")
    PKG_CONFIG_PATH=$(dirname "$(find "$work/installed" -name fovea.pc)")
    PKG_CONFIG_SYSROOT_DIR=$work/installed
    export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
    # shellcheck disable=SC2046,SC2086
    "$cc" ${sanitize:+-fsanitize=$sanitize} -std=c11 -Wall -Wextra -Werror "$1" -o "$1.out" $(pkg-config --cflags --libs fovea) -lm
}

# ---- a page ---------------------------------------------------------------------------------------------------------------

# Block $body with information $info; $begin: its line.
block() {
    number=$begin
    # shellcheck disable=SC2086
    set -- $info
    case $info in
    "sh run"*)
        printf '%s' "$body" > "$work/block.sh"
        (cd "$folder" && PATH="$work/bin:$PATH" sh -eux "$work/block.sh") < /dev/null > "$work/output" 2>&1 || { fail "does not run:"; tail -n 40 "$work/output"; } ;;
    "json config "*)
        printf '%s' "$body" > "$folder/$3"
        (cd "$folder" && "$FOVEA" config "$3") > /dev/null 2> "$work/output" || { fail "is no configuration:"; cat "$work/output"; } ;;
    "c run "* | "c compile "*)
        printf '%s' "$body" > "$folder/$3"
        if ! (cd "$folder" && compile "$3") > "$work/output" 2>&1; then
            fail "does not compile:"
            cat "$work/output"
        elif [ "$2" = run ]; then
            library=$(dirname "$(find "$work/installed" -name libfovea.a)")
            (cd "$folder" && LD_LIBRARY_PATH=$library "./$3.out") < /dev/null > "$work/output" 2>&1 || { fail "$3 fails:"; tail -n 40 "$work/output"; }
        fi ;;
    "text "*) printf '%s' "$body" > "$folder/$2" ;;
    "c excerpt="*)
        case $(cat "$source/${2#excerpt=}") in
        *"${body%?}"*) ;;
        *) fail "does not stand so in ${2#excerpt=}" ;;
        esac ;;
    "" | sh | json | c | python | text | console | csv) ;;
    *) fail "\"$info\" is no kind of block that tests/tools/docs.sh knows" ;;
    esac
}

check_page() {
    page=$1 number=0 inside=no before=$failed
    failed=0
    folder=$work/$(echo "$1" | tr / _)
    mkdir "$folder"
    ln -s "$source/configs" "$folder/configs"
    newline='
'
    while IFS= read -r text <&3 || [ -n "$text" ]; do
        number=$((number + 1))
        case $inside:$text in
        no:'```'*) inside=yes info=${text#'```'} body='' begin=$number ;;
        no:'<!-- run') inside=hidden info='sh run' body='' begin=$number ;;
        hidden:'-->')
            inside=no
            end=$number
            block
            number=$end ;;
        hidden:*) body=$body$text$newline ;;
        yes:'```'*)
            inside=no
            end=$number
            block
            number=$end ;;
        yes:*)
            body=$body$text$newline
            case $info in
            sh* | console* | '') check_line "$text" ;;
            esac ;;
        no:'    '*) check_line "${text#    }" ;;
        esac
    done 3< "$source/$1"
    [ $inside = no ] || fail "the last block does not end"
    number=0
    for link in $(sed -e '/^```/,/^```/d' -e 's/`[^`]*`//g' "$source/$1" | grep -o '](\([^)]*\))' | sed 's/^](//; s/)$//; s/#.*//'); do
        case $link in
        *://* | '') ;;
        *) [ -e "$source/$(dirname "$1")/$link" ] || fail "link to $link, which is not there" ;;
        esac
    done
    rm -rf "$folder"
    if [ $failed = 0 ]; then echo "$1: ok"; else before=1; fi
    failed=$before
}

for path in ${DOCS:-README.md docs/*.md bench/README.md}; do
    case $path in
    *'*'*) for one in $(cd "$source" && ls $path); do check_page "$one"; done ;;
    *) check_page "$path" ;;
    esac
done
exit $failed
