#!/usr/bin/env bash
# Puts libtorch where `.cargo/config.toml` looks for it: `.libtorch`, a link into the virtual
# environment `.torch`. Safe to repeat: does nothing when all is there, and goes on where an
# interrupted run stopped. A libtorch that the caller names is used instead:
#   LIBTORCH=/folder          a libtorch of that version
#   LIBTORCH_USE_PYTORCH=1    the PyTorch of the python3 in the PATH
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=2.11.0
cuda=13.0

if [ -n "${LIBTORCH_USE_PYTORCH:-}" ]; then
    found=$(python3 -c 'import torch; print(torch.__version__.split("+")[0])' 2>/dev/null) ||
        { echo "libtorch: LIBTORCH_USE_PYTORCH is set, but python3 cannot import torch: pip install torch==$version" >&2; exit 1; }
    [ "$found" = "$version" ] ||
        { echo "libtorch: python3 has torch $found, and $version is needed: pip install torch==$version" >&2; exit 1; }
    echo "libtorch: the PyTorch $found of $(command -v python3)"
    exit 0
fi

if [ -n "${LIBTORCH:-}" ]; then
    [ -e "$LIBTORCH/lib/libtorch_cpu.so" ] ||
        { echo "libtorch: LIBTORCH=$LIBTORCH has no lib/libtorch_cpu.so; unset it to have libtorch installed here" >&2; exit 1; }
    echo "libtorch: LIBTORCH=$LIBTORCH"
    exit 0
fi

has_driver() { command -v nvidia-smi >/dev/null || [ -e /proc/driver/nvidia ]; }

# Returns whether every library that $1 names is found.
loads() {
    local listed
    listed=$(ldd "$1" 2>/dev/null) && ! grep -q 'not found' <<<"$listed"
}

complete() {
    local root=$1
    # pip writes RECORD last: without it a copy was interrupted.
    compgen -G "$root/../torch-$version*.dist-info/RECORD" >/dev/null || return 1
    [ -e "$root/lib/libtorch_cpu.so" ] && loads "$root/lib/libtorch_cpu.so" || return 1
    ! has_driver || { [ -e "$root/lib/libtorch_cuda.so" ] && loads "$root/lib/libtorch_cuda.so"; }
}

if complete .libtorch; then
    echo "libtorch: $version is in .libtorch"
    exit 0
fi

.torch/bin/python -m pip --version >/dev/null 2>&1 || python3 -m venv --clear .torch

packages=("torch==$version")
if has_driver; then
    echo "libtorch: installing $version with CUDA into .torch (4.7 GB)"
else
    # What libtorch_cpu.so itself loads. The CUDA libraries are 3.4 GB more and useless here.
    echo "libtorch: installing $version for the CPU into .torch (1.3 GB); no NVIDIA driver was found"
    packages=(--no-deps "${packages[@]}" "nvidia-cuda-runtime==$cuda.*" "nvidia-cuda-cupti==$cuda.*")
fi
pip_install() {
    .torch/bin/python -m pip install --disable-pip-version-check --no-compile --quiet "$@" "${packages[@]}"
}
pip_install || true

packages_folder=$(.torch/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
target=$(realpath --relative-to=. "$packages_folder")/torch
# pip believes its own records: files that went missing since come back only by force.
complete "$target" || pip_install --ignore-installed
complete "$target" ||
    { echo "libtorch: pip ended well, but $target does not load; remove .torch and try again" >&2; exit 1; }

# Renamed into place, so that no build ever sees half a link.
ln -s "$target" ".libtorch.$$"
mv -T ".libtorch.$$" .libtorch
echo "libtorch: $version is in .libtorch"
