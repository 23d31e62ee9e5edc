#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds and tests this tree in a Debian 13 chroot: another compiler, oneDNN 3.x. How the chroot is made: docs/building.md.
# Usage: tools/trixie.sh CHROOT [-R PATTERN]     needs root; words after the folder go to ctest
# What is not ignored by git is copied to CHROOT/src/fovea; the build folder CHROOT/src/build stays for the next time.
set -eu
cd "$(dirname "$0")/.."
root=${1:-}
[ -n "$root" ] && [ -x "$root/bin/sh" ] || { echo "trixie: no chroot at \"$root\"; docs/building.md says how to make one" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "trixie: chroot needs root" >&2; exit 2; }
shift

# Copied only when different, so that the build folder stays good.
mkdir -p "$root/src/fovea" "$root/src/build"
git ls-files --cached --others --exclude-standard > "$root/src/files"
while read -r path; do
    [ -e "$path" ] || continue
    cmp -s "$path" "$root/src/fovea/$path" && continue
    mkdir -p "$root/src/fovea/$(dirname "$path")"
    cp -p "$path" "$root/src/fovea/$path"
done < "$root/src/files"
(cd "$root/src/fovea" && find . -type f | sed 's|^\./||') | while read -r path; do
    grep -qxF -e "$path" "$root/src/files" && [ -e "$path" ] || rm -f "$root/src/fovea/$path"
done

cat > "$root/src/run.sh" <<'END'
set -eu
gcc --version | head -1
jobs=$(nproc)
cmake -G Ninja -S /src/fovea -B /src/build -DCMAKE_BUILD_TYPE=Release -DFOVEA_ASSERTS=ON -DFOVEA_WERROR=ON > /src/configure.log || { cat /src/configure.log; exit 1; }
ninja -C /src/build -j "$jobs" > /src/build.log || { grep -A 20 FAILED /src/build.log; exit 1; }
sh /src/fovea/tools/symbols.sh /src/build
/src/build/fovea info
ctest --test-dir /src/build --parallel "$jobs" --output-on-failure --no-tests=error "$@"
END

# /proc and /dev are seen in a mount namespace of this run only.
exec unshare --mount sh -c '
    root=$1; shift
    mount --bind /proc "$root/proc" && mount --rbind /dev "$root/dev"
    exec chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8 OMP_WAIT_POLICY=passive sh /src/run.sh "$@"
' sh "$root" "$@"
