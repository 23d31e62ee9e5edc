#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tools/locale.sh must find each use that depends on the locale and be silent about what does not. Argument: source
# folder.
set -eu
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# expect NAME TEXT PATH: the file PATH with the lines of standard input must be refused with TEXT ("" = accepted).
expect() {
    rm -rf "$work/t"
    mkdir -p "$work/t/tools" "$(dirname "$work/t/$3")"
    cp "$source/tools/locale.sh" "$work/t/tools/"
    cat > "$work/t/$3"
    if output=$(sh "$work/t/tools/locale.sh" none 2>&1); then result=accepted; else result=refused; fi
    wanted=refused
    [ -n "$2" ] || wanted=accepted
    case $result:$output in
    $wanted:*"$2"*) echo "$1: ok" ;;
    *) echo "$1: FAILED ($result): $output"; failed=1 ;;
    esac
}

for format in %f %g %.3e %8.4f %-10.2G %+a %.*g %*.*f %lf %Lg "a %d of %.1f %%" "%d\\n\" \"%g"; do
    expect "format $format" "src/base/a.c:1: libc writes or reads a number with a fraction" src/base/a.c <<E
static void f(void) { snprintf(out, 32, "$format", v); }
E
done
for call in 'printf("%g")' 'fprintf(f, "%g")' 'sprintf(s, "%g")' 'sscanf(s, "%lf", &v)' \
    'x = y(snprintf(s, n, "(%d)", 1), snprintf (s, n, ")%f", v))'; do
    expect "call $call" "number with a fraction" src/data/a.c <<E
static void f(void) { $call; }
E
done
expect lines "src/data/a.c:2: libc" src/data/a.c <<'E'
/* ( */
    snprintf(out, 32, "%d pictures of"      // "
             " a )",
             n, "%g");
E
for call in 'vsnprintf(s, n, fmt, args)' 'vfprintf(f, fmt, args)' 'vsscanf(s, fmt, args)'; do
    expect "open $call" "a format that may hold anything" src/ir/a.c <<E
static void f(void) { $call; }
E
done
for call in 'strtod(s, &e)' 'strtof(s, &e)' 'atof(s)' 'strtold_l(s, &e, l)'; do
    for file in src/io/a.c cli/a.c; do
        expect "$file $call" "$file:1: reads a number as the locale says" $file <<E
static void f(void) { v = $call; }
E
    done
done
for call in 'isalpha(c)' 'isspace((unsigned char)*s)' 'tolower(c)' 'strcasecmp(a, b)' 'strncasecmp(a, b, 2)' \
    'strcoll(a, b)'; do
    expect "letters $call" "letters as the locale says" src/io/a.h <<E
static int f(int c) { return $call; }
E
done
for call in 'setlocale(LC_ALL, "")' 'uselocale(l)' 'localeconv()'; do
    expect "locale $call" "the locale is the program" cli/main.c <<E
int main(void) { $call; }
E
done
expect none "" src/base/a.c <<'E'
/* snprintf(out, 32, "%g", v), strtod(s, &end) and
   isspace(c) in a comment */
static void f(void) {
    snprintf(out, 32, "%d %s %lld %% 5%%f %x %zu %c %.*s %5d", a);        // "%g"
    fvi_text_add(&t, "%.9g", v); fvi_format("%g", v); fvi_fail(ctx, s, "%g", v); fvi_vprint(out, n, fmt, args);
    fv_name(g, "eps=%.17g", v); sscanf(s, "%lld %63[^= ]%n", &n, name, &u);
    strtoll(s, &end, 10); fvi_parse_double(s, &end); isdigit(c); isxdigit(c); a->atof(s);
    x = "strtod(s)" "%f"; my_strtod(s); fvi_print_double(out, v); isfinite(v); isnan(v);
}
E
expect text_c "" src/base/text.c <<'E'
double f(const char *s) { setlocale(LC_ALL, "C"); return strtod(s, NULL); }
E
expect program "" cli/cmd_a.c <<'E'
int main(void) { printf("%.3f", v); return isalpha(c); }
E

exit $failed
