#!/usr/bin/env bash
# Times Optuna and Ray Tune on trials that do nothing, each in a virtual environment of its own,
# made on first use in target/peers. Says so where one cannot be installed here.
#   scripts/bench-peers.sh [TRIALS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

trials=${1:-1000}
optuna=4.5.0
ray=2.49.2

# Makes target/peers/NAME with these packages, unless it is there.
environment() {
    local name=$1 folder=target/peers/$1
    shift
    [ -e "$folder/complete" ] && return
    rm -rf "$folder"
    python3 -m venv "$folder" &&
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile "$@" &&
        touch "$folder/complete"
}

if environment optuna "optuna==$optuna"; then
    target/peers/optuna/bin/python benches/peers/optuna_noop.py --trials "$trials"
    target/peers/optuna/bin/python benches/peers/optuna_noop.py --trials "$trials" --process
else
    echo "optuna $optuna cannot be installed for $(python3 --version)"
fi
if environment ray "ray[tune]==$ray"; then
    target/peers/ray/bin/python benches/peers/ray_noop.py --trials "$trials"
    # Three seconds each on two cores: not a thousand of them.
    target/peers/ray/bin/python benches/peers/ray_noop.py --trials 50 --fresh
else
    echo "ray $ray cannot be installed for $(python3 --version)"
fi
