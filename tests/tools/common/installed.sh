# SPDX-License-Identifier: Apache-2.0
# For the scripts of tests/tools that build programs as a user would: installs the build into a temporary place, seen through
# pkg-config. The first argument of the script is the source folder; the working folder is one below the build folder, as ctest
# has it; BUILD overrides.
#   $source, $build     folders               $work     temporary folder, taken away at the end
#   $cc, $flags         the build's compiler and sanitizers     $lib, $fovea    the installed libraries' folder and program
set -eu
source=$1
build=${BUILD:-$(cd .. && pwd)}
[ -f "$build/CMakeCache.txt" ] || { echo "$0: $build is no build folder" >&2; exit 1; }
command -v pkg-config >/dev/null || { echo "skipped: no pkg-config"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
cc=$(cached CMAKE_C_COMPILER)
sanitize=$(cached FOVEA_SANITIZE)
flags=${sanitize:+-fsanitize=$sanitize}

DESTDIR=$work cmake --install "$build" > "$work/install.log" || { cat "$work/install.log"; exit 1; }
lib=$(dirname "$(find "$work" -name libfovea.a)")
fovea=$(find "$work" -type f -path '*/bin/fovea')
# The staged copy is seen through the sysroot; libraries of the system stay visible.
PKG_CONFIG_PATH=$(dirname "$(find "$work" -name fovea.pc)")
PKG_CONFIG_SYSROOT_DIR=$work
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
