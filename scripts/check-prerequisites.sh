#!/usr/bin/env bash
# Names everything that a build needs and this machine lacks, each with the command that installs it.
set -euo pipefail

oldest_rust=1.95.0
oldest_python=3.10

if command -v dnf >/dev/null; then
    install="sudo dnf install" cxx="gcc-c++" venv="python3"
elif command -v pacman >/dev/null; then
    install="sudo pacman -S" cxx="gcc" venv="python"
else
    install="sudo apt install" cxx="g++" venv="python3-venv"
fi
rustup="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"

missing=()
lacks() { missing+=("$(printf '%-34s %s' "$1" "$2")"); }
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

[ "$(uname -s)" = Linux ] || lacks "Linux" "other systems are not supported"
command -v git >/dev/null || lacks "git" "$install git"
command -v make >/dev/null || lacks "make" "$install make"
command -v c++ >/dev/null || lacks "a C++ compiler" "$install $cxx"

if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
    lacks "cargo and rustc >= $oldest_rust" "$rustup"
else
    rust=$(rustc --version | cut -d ' ' -f 2)
    at_least "$oldest_rust" "$rust" ||
        lacks "rustc >= $oldest_rust (found $rust)" \
            "$(command -v rustup >/dev/null && echo 'rustup update stable' || echo "$rustup")"
fi

# Python only installs libtorch; nothing needs it afterwards.
if [ -z "${LIBTORCH:-}" ] && [ ! -e .libtorch/lib/libtorch_cpu.so ]; then
    if ! command -v python3 >/dev/null; then
        lacks "python3 >= $oldest_python with venv" "$install python3 $venv"
    else
        python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        at_least "$oldest_python" "$python" ||
            lacks "python3 >= $oldest_python (found $python)" "$install python3"
        python3 -c 'import venv, ensurepip' 2>/dev/null ||
            lacks "python3's venv" "$install $venv"
    fi
fi

if [ ${#missing[@]} -gt 0 ]; then
    {
        echo "This machine lacks:"
        printf '  %s\n' "${missing[@]}"
        echo "Install these, then run the same command again."
    } >&2
    exit 1
fi
