#!/usr/bin/env bash
# Builds the source distribution into dist/, installs it into a new virtual environment, and generates with it, all
# outside of the repository: what a user of the archive does.
#   PYTHON=python3   the interpreter, with setuptools and pybind11
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
ROOT=$PWD
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT

"$PYTHON" setup.py -q egg_info --egg-base "$room" sdist --dist-dir "$ROOT/dist"
archive=$(ls -t dist/genlib-*.tar.gz | head -n 1)
"$PYTHON" -m venv "$room/venv"
cd "$room"
echo "installing $archive: minutes"
venv/bin/python -m pip --disable-pip-version-check install -q -c "$ROOT/constraints.txt" "$ROOT/$archive"
venv/bin/genlib generate "Once" --seed 7
echo "$archive installs and generates"
