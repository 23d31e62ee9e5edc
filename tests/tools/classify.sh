#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds examples/classify.c against the installed library, trains a small run with the installed program, and compares what the
# example says with `fovea predict`. Argument: source folder.
. "$(dirname "$0")/common/installed.sh"

# shellcheck disable=SC2046,SC2086
"$cc" $flags -Wall -Wextra -Werror "$source/examples/classify.c" -o "$work/classify" $(pkg-config --cflags --libs fovea)
lines=$(wc -l < "$source/examples/classify.c")
[ "$lines" -lt 100 ] || { echo "classify: $lines lines; the example is to stay below 100"; exit 1; }

cd "$work"
mkdir -p pets/cat pets/dog
for n in 1 2 3 4 5 6; do
    { printf 'P6\n24 24\n255\n'; head -c 1728 /dev/zero | tr '\0' "\\$((100 + n))"; } > pets/cat/$n.ppm
    { printf 'P6\n24 24\n255\n'; head -c 1728 /dev/zero | tr '\0' "\\$((300 + n))"; } > pets/dog/$n.ppm
done
"$fovea" train model=resnet18 data=pets image_size=32 batch_size=4 max_steps=4 run=runs/pets threads=1 --quiet > /dev/null 2>&1
export LD_LIBRARY_PATH="$lib"
./classify runs/pets pets/cat/1.ppm pets/dog/2.ppm > said || { cat said; exit 1; }
cat said
"$fovea" predict runs/pets pets/cat/1.ppm pets/dog/2.ppm topk=1 --quiet > wanted
sed -n '2,3p' said | cmp - wanted || { echo "classify: FAILED, fovea predict says"; cat wanted; exit 1; }
grep -q "^pixels of the first: $(sed -n '1s/.*: //p' wanted)$" said || { echo "classify: FAILED, the pixels are taken for something else"; exit 1; }
head -n 1 said | grep -q "resnet18, 2 classes, pictures of 32 x 32 pixels" || { echo "classify: FAILED, description"; exit 1; }
if ./classify runs/pets pets/none.ppm > said 2>&1; then echo "classify: FAILED, a missing picture"; exit 1; fi
grep -q "pets/none.ppm: No such file" said || { cat said; exit 1; }
if ./classify runs/none pets/cat/1.ppm > said 2>&1; then echo "classify: FAILED, a missing model"; exit 1; fi
grep -q "there are no weights" said || { cat said; exit 1; }
echo "classify: ok"
