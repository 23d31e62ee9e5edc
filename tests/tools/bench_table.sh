#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tables in bench/README.md and README.md are those of the newest result. Argument: source folder.
set -eu
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
PYTHONDONTWRITEBYTECODE=1 python3 "$1/bench/table.py" --check || { echo "the tables are not those of the newest result: run bench/table.py"; exit 1; }
