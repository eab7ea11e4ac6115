#!/usr/bin/env bash
# Makes a virtual environment with the programs that read exports, at fixed versions, and prints its
# Python. Tests of exports are given it as BYOL_SWEEP_READERS. Its folder: target/readers, or the first
# argument.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=${1:-target/readers}
list=scripts/readers.txt
made=$folder/made-of.txt

if ! cmp -s "$list" "$made"; then
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
        --requirement "$list" >&2
    cp "$list" "$made"
fi
printf '%s/bin/python\n' "$(cd "$folder" && pwd)"
