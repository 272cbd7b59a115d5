#!/bin/sh
# Builds wheels of icseg and tries them out. `tools/build_wheels.sh --help` says how.
set -eu
cd "$(dirname "$0")/.."

DEBIAN=trixie                 # its arm64 headers and interpreter are those of DEBIAN_PYTHON
DEBIAN_PYTHON=3.13
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

usage() {
    cat <<'TEXT'
usage: tools/build_wheels.sh [--aarch64] [--python PYTHON] [--cuda AUTO|ON|OFF] [--no-check]

Builds a wheel of icseg into dist/, so that a robot need not compile, and tries it in a virtual environment of its own,
without the checkout: `icseg doctor`, and the demo's recorded clip. All else that it makes is in a temporary folder.

  --aarch64        build for 64-bit Arm (Jetson, Ubuntu 24.04 and newer) on this x86_64 PC. Needs g++-aarch64-linux-gnu;
                   Python's headers come from Debian's arm64 packages, into the temporary folder, and are of Python 3.13:
                   so must the Python be that builds. The wheel is for the stable ABI, so it serves 3.12 too. With
                   qemu-user-static its compiled part is also tried, by Debian's arm64 Python; the demo is not.
  --python PYTHON  the Python that builds. From 3.12 on the wheel is for the stable ABI (cp312-abi3): it serves that
                   version and every later one. An older Python gives a wheel for itself alone (cp310, cp311).
                   Default: the newest of python3.13 ... python3.10 that runs.
  --cuda VALUE     build libicseg_cuda.so, the mask operations for NVIDIA GPUs, into the wheel. AUTO: when nvcc is found.
                   With --aarch64 it is OFF, as CUDA's libraries for Arm are in none of Debian's packages: on the robot
                   `pip install .` with JetPack's CUDA builds it.
  --no-check       build only
TEXT
}

python=""
cuda=AUTO
arch=$(uname -m)
is_cross=""
is_checked=yes
while [ $# -gt 0 ]; do
    case $1 in
        --aarch64) is_cross=yes arch=aarch64 ;;
        --python) python=${2:?--python wants a Python} && shift ;;
        --cuda) cuda=${2:?--cuda wants AUTO, ON or OFF} && shift ;;
        --no-check) is_checked="" ;;
        -h | --help) usage && exit 0 ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done
[ "$(uname -m)" != aarch64 ] || is_cross=""
if [ -z "$python" ]; then
    for candidate in python3.13 python3.12 python3.11 python3.10 python3; do
        if "$candidate" -c 'import venv' 2>/dev/null; then python=$candidate && break; fi
    done
fi
version=$("$python" -c 'import sys; print("{}.{}".format(*sys.version_info))')

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---- the arm64 side: headers, and an interpreter to try the wheel with

apt_arm64() {
    APT_CONFIG="$work/apt/apt.conf" "$@"
}

fetch_arm64_python() {
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/debs" "$work/root/usr/lib"
    : >"$work/apt/status"
    echo "deb [signed-by=$KEYRING] http://deb.debian.org/debian $DEBIAN main" >"$work/apt/sources.list"
    cat >"$work/apt/apt.conf" <<CONF
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
Dir::State::Lists "$work/apt/lists";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
CONF
    apt_arm64 apt-get update -qq
    packages="libpython$DEBIAN_PYTHON-dev libpython$DEBIAN_PYTHON-minimal libpython$DEBIAN_PYTHON-stdlib"
    packages="$packages python$DEBIAN_PYTHON-minimal libc6 libgcc-s1 libstdc++6 libexpat1 libffi8 zlib1g libbz2-1.0"
    packages="$packages liblzma5 libssl3t64 libsqlite3-0 libuuid1 libzstd1"
    # shellcheck disable=SC2086  # a list of package names
    (cd "$work/debs" && apt_arm64 apt-get download -qq $packages)
    ln -s usr/lib "$work/root/lib"
    for package in "$work"/debs/*.deb; do dpkg-deb -x "$package" "$work/root"; done
}

# ---- build

[ -z "$is_cross" ] || cuda=OFF
set -- "cmake.define.ICSEG_CUDA=$cuda"
case $version in
    3.10 | 3.11) ;;
    # CMake knows the stable ABI from 3.26 on; where the system's is older, pip brings a newer one.
    *) set -- "$@" "wheel.py-api=cp312" "cmake.version=>=3.26" ;;
esac
if [ -n "$is_cross" ]; then
    # CMake wants the headers and the Python that runs the build to be of one version.
    [ "$version" = "$DEBIAN_PYTHON" ] || { echo "--aarch64 wants Python $DEBIAN_PYTHON, not $version: see --python" >&2 && exit 1; }
    command -v aarch64-linux-gnu-g++ >/dev/null || { echo "please install first: g++-aarch64-linux-gnu" >&2 && exit 1; }
    fetch_arm64_python
    headers="$work/root/usr/include/python$DEBIAN_PYTHON"
    # The headers of arm64 begin with <aarch64-linux-gnu/python3.13/pyconfig.h>, which is beside them.
    set -- "$@" "cmake.define.CMAKE_TOOLCHAIN_FILE=$PWD/tools/aarch64.cmake" \
        "cmake.define.Python_INCLUDE_DIR=$headers" "cmake.define.CMAKE_CXX_FLAGS=-I$work/root/usr/include"
fi

"$python" -m venv "$work/build"
"$work/build/bin/python" -m pip install --quiet --disable-pip-version-check build wheel
settings="-C build-dir=$work/cmake"
for setting in "$@"; do settings="$settings -C $setting"; done
# shellcheck disable=SC2086  # a list of options without spaces
"$work/build/bin/python" -m build --wheel --outdir "$work/dist" $settings . >"$work/build.log" 2>&1 || {
    tail -40 "$work/build.log" >&2
    exit 1
}
# The name says which machine built it; the one it is for is written in afterwards.
[ -z "$is_cross" ] || "$work/build/bin/python" -m wheel tags --remove --platform-tag linux_aarch64 "$work"/dist/*.whl >/dev/null
wheel=$(ls "$work"/dist/*.whl)
mkdir -p dist
cp "$wheel" dist/
echo "dist/$(basename "$wheel")"

# ---- what is in it

"$work/build/bin/python" -m zipfile -e "$wheel" "$work/unpacked"
newest() {
    # The newest version $1_x.y that the library $2 asks for.
    LC_ALL=C grep -ao "$1_[0-9][0-9.]*" "$2" | sort -u -V | tail -1
}
for library in "$work"/unpacked/icseg/*.so; do
    machine=$(readelf -h "$library" | sed -n 's/ *Machine: *//p')
    echo "  $(basename "$library"): $machine, needs $(newest GLIBC "$library"), $(newest GLIBCXX "$library")"
done
[ -e "$work/unpacked/icseg/libicseg_cuda.so" ] || echo "  without libicseg_cuda.so (no mask operations on a GPU)"

# ---- does it run without the checkout?

[ -n "$is_checked" ] || exit 0
cd "$work" # not the checkout: it must not be found on sys.path
cat >"$work/equal.py" <<'PYTHON'
import numpy as np
import icseg
from icseg.mask_ops import native, reference

random = np.random.default_rng(0)
logits = random.normal(size=(1, 40, 60)).astype(np.float32)
assert np.array_equal(native.fill_holes(logits, 8), reference.fill_holes(logits, 8))
assert native.rle_encode(logits[0] > 0) == reference.rle_encode(logits[0] > 0)
print(f"  icseg {icseg.__version__}, compiled by {native.compiler}: the mask operations say what numpy's definitions say")
PYTHON
if [ -z "$is_cross" ]; then
    unset PYTHONPATH
    "$python" -m venv "$work/try"
    "$work/try/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel"
    "$work/try/bin/python" equal.py
    "$work/try/bin/icseg" doctor >doctor.log || { cat doctor.log >&2 && exit 1; }
    "$work/try/bin/icseg" demo --clip --json --out demo </dev/null >demo.log 2>&1 || { tail -20 demo.log >&2 && exit 1; }
    tail -1 demo.log
elif command -v qemu-aarch64-static >/dev/null; then
    # ONNX Runtime's wheel for Arm ends with a segmentation fault in Debian 12's emulator (7.2), when it is imported.
    # So only what is compiled here is tried, with numpy's wheel for Arm; the demo is not.
    "$work/build/bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/site" --only-binary :all: \
        --platform manylinux_2_28_aarch64 --platform manylinux2014_aarch64 --python-version "$DEBIAN_PYTHON" \
        --implementation cp "numpy<3"
    cp -r "$work/unpacked/icseg" "$work/site/icseg"
    PYTHONPATH="$work/site" qemu-aarch64-static -L "$work/root" "$work/root/usr/bin/python$DEBIAN_PYTHON" equal.py
    echo "  not tried: the demo, as ONNX Runtime for Arm does not run in the emulator"
else
    echo "  not tried: without qemu-user-static nothing here runs Arm programs"
fi
