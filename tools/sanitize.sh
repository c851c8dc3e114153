#!/usr/bin/env bash
# Builds the extension with AddressSanitizer and UBSan into .asan/, apart from the one in use, and runs the tests of
# the native code with it.
#   PYTHON=python3   the interpreter, with the [dev] extra installed
#   CXX=g++          the compiler whose sanitizer runtime is loaded first
#   tools/sanitize.sh [pytest arguments]    default: all tests of native code but those of distributions, with a
#                                           tenth of the random rows and operations in those that try very many
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
CXX=${CXX:-g++}
BUILD=$PWD/.asan

export CXX CC=$CXX GENLIB_SANITIZE=1
"$PYTHON" setup.py -q build --build-base "$BUILD/build" --build-lib "$BUILD/lib"

# The runtime must be the first library in the process, and libstdc++ there before it looks for __cxa_throw.
# Python keeps memory until it exits, so leaks are not looked for; a sanitizer's finding ends the run.
runtime=$("$CXX" -print-file-name=libasan.so)
stdcxx=$("$CXX" -print-file-name=libstdc++.so)
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=0:exitcode=66
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export PYTHONPATH=$BUILD/lib PYTHONDONTWRITEBYTECODE=1

shopt -s nullglob
tests=("$@")
[ $# -gt 0 ] || tests=(tests/states tests/ops tests/sampling --ignore-glob='*/test_draws*' --all --share 0.1)
echo "sanitized: ${tests[*]}"
# -P: the folder we are in, with the extension in use, must not come before .asan/lib.
LD_PRELOAD="$runtime $stdcxx" "$PYTHON" -P -c '
import sys, genlib._native as native
sys.exit(0 if sys.argv[1] in native.__file__ else f"not the sanitized build: {native.__file__}")' "$BUILD"
# capture=sys: a finding is printed to the process's own stderr, which pytest would swallow.
LD_PRELOAD="$runtime $stdcxx" "$PYTHON" -P -m pytest -q --capture=sys "${tests[@]}"
