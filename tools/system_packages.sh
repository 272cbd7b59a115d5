#!/bin/sh
# What pip cannot bring: a Python with venv, a C++ compiler, CMake, and software OpenGL for the simulated table.
# Installs through apt when root, otherwise says what to install. Usage: system_packages.sh PYTHON VENV
set -eu
python=$1
venv=$2

if [ -z "$python" ]; then
    echo "icseg needs Python 3.10 to 3.13 on PATH (or: make PYTHON=/path/to/python3.11 ...)" >&2
    exit 1
fi

missing=""
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
"$python" - <<'EOF' || missing="$missing python3-dev"
import pathlib, sys, sysconfig
sys.exit(not (pathlib.Path(sysconfig.get_paths()["include"]) / "Python.h").is_file())
EOF
command -v g++ >/dev/null || missing="$missing g++"
command -v cmake >/dev/null || missing="$missing cmake"
optional=""
"$python" -c 'import ctypes.util, sys; sys.exit(not ctypes.util.find_library("OSMesa"))' || optional="libosmesa6"

if [ -n "$missing$optional" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq || true
        # shellcheck disable=SC2086  # a list of package names
        [ -z "$missing" ] || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
        [ -z "$optional" ] || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $optional >/dev/null ||
            echo "note: no $optional here; the demo will play its recorded clip" >&2
    else
        [ -z "$optional" ] || echo "note: without $optional the demo plays its recorded clip: sudo apt-get install $optional" >&2
        if [ -n "$missing" ]; then
            echo "please install first: sudo apt-get install$missing" >&2
            exit 1
        fi
    fi
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
