# SPDX-License-Identifier: Apache-2.0
# For scripts that let a Python package read what a run writes: $FOVEA_PEERS has it, and the current folder has data/ (CIFAR-10 batches).
# peer_with PACKAGE: ends as skipped without it.
peer_with() {
    if [ -z "${FOVEA_PEERS:-}" ] || ! "$FOVEA_PEERS" -c "import $1" 2> /dev/null; then
        echo "SKIPPED: $1 was not asked; set FOVEA_PEERS to a Python that has it"
        exit 77
    fi
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    . "$source/tests/cli/common/records.sh"
    cd "$work"
    export OMP_WAIT_POLICY=passive
    mkdir data
    batch data/data_batch_1.bin 12
    batch data/test_batch.bin 12
}
