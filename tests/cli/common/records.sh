# SPDX-License-Identifier: Apache-2.0
# For scripts that need CIFAR-10 binary batches.

# batch FILE RECORDS: records of noise with labels 0, 1, 2 ... 7, 0 ...
batch() {
    : > "$1"
    i=0
    while [ $i -lt "$2" ]; do
        printf "\\00$((i % 8))" >> "$1"
        head -c 3072 /dev/urandom >> "$1"
        i=$((i + 1))
    done
}
