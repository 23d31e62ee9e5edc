#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What can be wrong with pictures and folders of them: every row of the table is an error that names file and fault with its exit
# code, or a counted, listed skip; nothing crashes, nothing takes the memory or the time that a header asks for. The program is
# $FOVEA; the files are made here.
set -u
. "$(dirname "$0")/common/expect.sh"

# picture FILE R G B: a PPM of 20 x 16 pixels of about one colour.
picture() {
    { printf 'P6\n20 16\n255\n'; i=0; while [ $i -lt 320 ]; do printf "\\$(printf %03o $(($2 + i % 7)))\\$(printf %03o $(($3 + i % 5)))\\$(printf %03o $(($4 + i % 3)))"; i=$((i + 1)); done; } > "$1"
}

be32() { printf "\\$(printf %03o $(($1 >> 24 & 255)))\\$(printf %03o $(($1 >> 16 & 255)))\\$(printf %03o $(($1 >> 8 & 255)))\\$(printf %03o $(($1 & 255)))"; }
le32() { printf "\\$(printf %03o $(($1 & 255)))\\$(printf %03o $(($1 >> 8 & 255)))\\$(printf %03o $(($1 >> 16 & 255)))\\$(printf %03o $(($1 >> 24 & 255)))"; }
le16() { printf "\\$(printf %03o $(($1 & 255)))\\$(printf %03o $(($1 >> 8 & 255)))"; }
be16() { printf "\\$(printf %03o $(($1 >> 8 & 255)))\\$(printf %03o $(($1 & 255)))"; }

mkdir -p good/a good/b
n=0
while [ $n -lt 5 ]; do
    picture good/a/$n.ppm $((20 + n)) 40 200
    picture good/b/$n.ppm 200 $((60 + n)) 20
    n=$((n + 1))
done
cat > small.json << 'E2'
{"model": "resnet18", "image_size": 32, "batch_size": 4, "threads": 1, "max_steps": 2, "validate_every": 1}
E2
expect train 0 '"step": 2' train small.json data=good run=runs/good --json

# ---- one bad file each: what is said about it
mkdir bad
: > bad/empty.jpg
echo "hello" > bad/text.png
printf '<svg xmlns="http://www.w3.org/2000/svg"></svg>' > bad/drawing.jpg
printf 'II*\000\010\000\000\000' > bad/scan.tif
printf '\000\000\000\034ftypheic\000\000\000\000' > bad/phone.heic
head -c 200 good/a/1.ppm > bad/cut.ppm
printf '\377\330\377' > bad/three_bytes.jpg
printf '\211PNG\r\n\032\n' > bad/signature.png
printf 'RIFF\004\000\000\000WEBP' > bad/riff.webp
printf 'GIF89a' > bad/header.gif
printf 'BM' > bad/two.bmp
mkdir bad/folder.jpg bad/none
mkfifo bad/pipe.jpg
ln -s nowhere.jpg bad/dangling.jpg
ln -s loop.jpg bad/loop.jpg
# Bombs: headers that ask for gigabytes.
{ printf '\211PNG\r\n\032\n\000\000\000\015IHDR'; be32 60000; be32 60000; printf '\010\002\000\000\000\000\000\000\000'; head -c 100 /dev/zero; } > bad/bomb.png
{ printf '\377\330\377\300\000\021\010'; be16 60000; be16 60000; printf '\003\001\042\000\002\021\001\003\021\001'
  printf '\377\332\000\014\003\001\000\002\021\003\021\000\077\000xx'; } > bad/bomb.jpg
{ printf 'GIF89a'; le16 65535; le16 65535; printf '\200\000\000\000\000\000\377\377\377,\000\000\000\000'; le16 65535; le16 65535; printf '\000\002\000;'; } > bad/bomb.gif
{ printf 'BM'; le32 1000; le32 0; le32 54; le32 40; le32 60000; le32 60000; le16 1; le16 24; le32 0; le32 0; le32 0; le32 0; le32 0; le32 0; } > bad/bomb.bmp
printf 'P6\n60000 60000\n255\nxx' > bad/bomb.ppm
{ printf 'RIFF'; le32 22; printf 'WEBPVP8X'; le32 10; printf '\000\000\000\000\377\377\000\377\377\000'; } > bad/bomb.webp
cp "$root/tests/fuzz/corpus/heif/lie.heic" bad/bomb.heic
cp "$root/tests/fuzz/corpus/heif/lie.avif" bad/bomb.avif
run="timeout 60"
for row in "empty.jpg|the file is empty" "text.png|not a picture" "drawing.jpg|an SVG drawing" "scan.tif|a TIFF picture" "phone.heic|" "cut.ppm|truncated PNM" \
    "three_bytes.jpg|" "signature.png|" "riff.webp|" "header.gif|" "two.bmp|" "pipe.jpg|not a file" "dangling.jpg|No such file" \
    "loop.jpg|Too many levels" "absent.jpg|No such file" "bomb.png|the header says 60000 x 60000 pixels; the limits are" "bomb.jpg|the header says 60000 x 60000 pixels; the limits are" "bomb.gif|" "bomb.bmp|the header says 60000 x 60000 pixels; the limits are" \
    "bomb.ppm|the header says 60000 x 60000 pixels; the limits are" "bomb.webp|" \
    "bomb.heic|the header says 16384 x 8000 pixels; the limits are" "bomb.avif|the header says 16384 x 8000 pixels; the limits are"; do
    file=${row%%|*}
    expect "alone $file" 3 "$file: ${row#*|}" predict runs/good "bad/$file"
done
run=
expect "alone folder.jpg" 3 "bad/folder.jpg: no pictures" predict runs/good bad/folder.jpg
expect "alone huge name" 3 "File name too long" predict runs/good "$(head -c 300 /dev/zero | tr '\0' x).jpg"

# ---- pictures of a telephone: read, or what to install is said
cp "$root/tests/fuzz/corpus/heif/exif.heic" phone.heic
export FOVEA_LIBHEIF=/nowhere/libheif.so.1
expect "without libheif" 3 "phone.heic: a HEIC picture, which fovea reads through libheif (/nowhere/libheif.so.1" predict runs/good phone.heic
also "without libheif, advice" "install it (Debian: libheif1), or convert the picture to JPEG or PNG" err
unset FOVEA_LIBHEIF
if "$FOVEA" predict runs/good phone.heic > /dev/null 2>&1; then
    mkdir -p phone/a phone/b
    cp "$root"/tests/fuzz/corpus/heif/[egs]*.heic phone/a && cp "$root"/tests/fuzz/corpus/heif/turn*.avif phone/b && cp phone.heic phone/b/named.jpg
    expect heif 0 "HEIC 5  AVIF 4" data check phone
    also heif_misnamed "1 are of another format" out
    expect heif_train 0 '"step": 2' train small.json data=phone run=runs/phone --json
else
    echo "HEIC and AVIF: NOT TESTED, libheif is not installed (Debian: libheif1)"
fi

# ---- memory: no header makes the program take more than a few pictures' worth
if [ -z "${ASAN_OPTIONS:-}${TSAN_OPTIONS:-}" ]; then
    for file in bomb.png bomb.jpg bomb.gif bomb.bmp bomb.ppm bomb.webp bomb.heic bomb.avif; do
        (ulimit -v 4000000 && "$FOVEA" predict runs/good bad/$file > limited 2>&1)
        [ $? = 3 ] && grep -qF "$file" limited || { fail "memory $file"; cat limited; }
    done
fi

# ---- all of them together in a folder: counted and listed, the good ones are predicted and trained on
mkdir -p mixed && cp -r good mixed/data && rm bad/pipe.jpg
cp -RP bad/*.* mixed/data/a/ 2>/dev/null
rmdir mixed/data/a/folder.jpg
bad=$(find bad -maxdepth 1 ! -type d | wc -l)
expect together_fail 3 "data.on_bad_file=skip" predict runs/good mixed/data
expect together 0 "predicted 10/$((10 + bad)) pictures" predict runs/good mixed/data data.on_bad_file=skip -o table.csv
also together_counted "$bad cannot be read" err
[ "$(grep -c '^mixed/data/a/.*,,,,,' table.csv)" = "$bad" ] || fail together_listed
expect together_train 0 "\"bad_files\": " train small.json data=mixed/data run=runs/mixed data.on_bad_file=skip max_steps=null epochs=2 --json
also together_csv "bomb.jpg" runs/mixed/bad_files.csv
cp -r runs/good runs/free && rm runs/free/split.csv           # not only the pictures of its split
expect together_eval 0 "\"samples\": 10, \"of\": $((10 + bad))" eval runs/free data=mixed/data data.on_bad_file=skip --json
expect together_check 3 "$bad of $((10 + bad)) pictures cannot be read" data check mixed/data

# ---- misnamed: recognised by content
mkdir names
cp good/a/1.ppm names/really_a_ppm.jpg
cp good/a/1.ppm names/no_extension
cp good/a/1.ppm "names/line
end.ppm"
cp good/a/1.ppm "names/ spaces .ppm"
cp good/a/1.ppm "names/$(printf '\377\376').ppm"
cp good/a/1.ppm names/-dash.ppm
cp good/a/1.ppm 'names/"quotes",;.ppm'
cp good/a/1.ppm names/.hidden.ppm
expect names 0 "predicted 7/7" predict runs/good names -o names.csv
grep -A1 '^"names/line$' names.csv | grep -q '^end.ppm",' || fail names_line
grep -qF '"names/""quotes"",;.ppm",' names.csv || fail names_quotes
grep -qF 'names/\xff\xfe.ppm,' names.csv || fail names_bytes
expect names_json 0 '"names/line\u000aend.ppm"' predict runs/good names --json
also names_json_bytes 'names/\\xff\\xfe.ppm' out

# ---- folders that cannot be learned from
expect no_folder 3 "does not exist" train small.json data=nowhere run=runs/x
mkdir -p empty one/only oneempty/a oneempty/b && cp good/a/* one/only/ && cp good/a/* oneempty/a/
expect empty 3 "no data that fovea knows" train small.json data=empty run=runs/x
expect one_class 3 "one class only (only)" train small.json data=one run=runs/x
expect empty_class 3 'class "b" has no picture to train on' train small.json data=oneempty run=runs/x
expect empty_class_allowed 0 '"step": 2' train small.json data=oneempty data.allow_empty=true run=runs/allowed --json
expect flat 3 "no data that fovea knows" train small.json data=good/a run=runs/x
expect a_file 3 "" train small.json data=good/a/1.ppm run=runs/x
expect big_batch 0 "batches hold all 8 samples" train small.json data=good batch_size=1000 run=runs/big
expect big_batch_predict 0 "10/10" predict runs/good good batch_size=100000
[ ! -e runs/x ] || fail "nothing is left behind"
mkdir -p allbad/a allbad/b
for n in 1 2 3 4; do : > allbad/a/$n.jpg; : > allbad/b/$n.jpg; done
expect all_bad 3 "the file is empty" train small.json data=allbad run=runs/y
expect all_bad_skip 3 "can be read" train small.json data=allbad run=runs/z data.on_bad_file=skip
expect all_bad_predict 3 "none of the 8 pictures can be read" predict runs/good allbad data.on_bad_file=skip

# ---- without permission: as another user where we are root, who may read everything
cp -r good closed
chmod 000 closed/b
cp -r good closed_file
chmod 000 closed_file/b/1.ppm
other=
if [ "$(id -u)" = 0 ]; then
    for user in nobody daemon; do
        if command -v setpriv > /dev/null && setpriv --reuid=$user --regid=65534 --clear-groups test -x "$FOVEA" 2>/dev/null; then other="setpriv --reuid=$user --regid=65534 --clear-groups"; break; fi
    done
fi
if [ "$(id -u)" != 0 ] || [ -n "$other" ]; then
    mkdir open_runs && chmod -R a+rX . && chmod a+rwx open_runs && chmod 000 closed/b closed_file/b/1.ppm
    run=$other
    expect closed_folder 3 "closed/b: Permission denied" train small.json data=closed run=open_runs/c
    expect closed_folder_skip 3 "closed/b: Permission denied" train small.json data=closed run=open_runs/c data.on_bad_file=skip
    expect closed_predict 3 "b: Permission denied" predict runs/good closed
    expect closed_file 3 "Permission denied" predict runs/good closed_file
    expect closed_file_skip 0 "predicted 9/10" predict runs/good closed_file data.on_bad_file=skip
    chmod a-w open_runs
    expect closed_run 3 "Permission denied" train small.json data=good run=open_runs/new/r
    expect closed_table 3 "Permission denied" predict runs/good good -o open_runs/t.csv
    run=
else
    echo "permissions: NOT TESTED, this root can become no other user"
fi

# ---- a hundred thousand files in one folder: listed, split, stored, trained on; then twenty thousand bad ones, noted once each
# without a walk over the list for every one
mkdir -p many/a many/b awful
cp good/b/1.ppm many/b/0.ppm
cp good/b/2.ppm many/b/1.ppm
awk 'BEGIN { for (i = 0; i < 100000; i++) { f = sprintf("many/a/%06d.ppm", i); printf "P6\n1 1\n255\n%c%c%c", 65 + i % 50, 65 + int(i / 50) % 50, 65 + int(i / 2500) > f; close(f) }
             for (i = 0; i < 20000; i++) { f = sprintf("awful/%06d.jpg", i); printf "" > f; close(f) } }'
cp good/a/1.ppm awful/zz.ppm
run="timeout 120"
begin=$(date +%s)
expect many 0 "100,002 for training" train small.json data=many run=runs/many max_steps=1 data.split.val=0
[ "$(wc -l < runs/many/split.csv)" = 100003 ] || fail many_split
echo "a hundred thousand files: listed, compared and trained a step in $(($(date +%s) - begin)) s"
begin=$(date +%s)
expect awful 0 "20000 cannot be read" predict runs/good awful data.on_bad_file=skip batch_size=100
echo "twenty thousand bad files: $(($(date +%s) - begin)) s"
run=
exit $failed
