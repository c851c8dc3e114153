# make demo: installs into .venv and shows the three calls, in Python and over HTTP.
# make test: the same with the development tools, then the tests. Neither installs twice.
# make test-all: with the tests that take long, and with many more rows where a test tries very many.
# make bench: the benchmarks that need no other library, in a few minutes. make dist: the source distribution, tried out.
# TORCH_INDEX=<url> takes torch, which only the tests need, from an index with small CPU builds.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := $(shell find csrc -name '*.cpp' -o -name '*.h') setup.py pyproject.toml constraints.txt
PY_DIRS := genlib kernels tests bench tools setup.py

.PHONY: demo test test-all lint sanitize bench dist clean

demo: $(VENV)/.installed
	$(BIN)/python tools/demo.py

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2

test-all: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --all

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check $(PY_DIRS)
	$(BIN)/ruff format --check $(PY_DIRS)
	$(BIN)/mypy --strict genlib
	$(BIN)/clang-format --dry-run --Werror $$(find csrc bench -name '*.cpp' -o -name '*.h')

sanitize: $(VENV)/.installed-dev
	PYTHON=$(BIN)/python tools/sanitize.sh

bench: $(VENV)/.installed
	$(MAKE) -C bench/native
	$(BIN)/python bench/bench_linear.py --rounds 5
	$(BIN)/python bench/bench_overhead.py

dist: $(VENV)/.built
	PYTHON=$(BIN)/python tools/check_sdist.sh

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Names each unit of the extension as it compiles it. pip then finds it compiled, and need not be watched.
$(VENV)/.built: $(SOURCES) | $(BIN)/python
	$(PIP) install -q -c constraints.txt setuptools pybind11
	$(BIN)/python setup.py -q build_ext --inplace
	touch $@

$(VENV)/.installed: $(VENV)/.built
	@echo "installing genlib and what its server needs"
	$(PIP) install -q -c constraints.txt -e '.[server]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.built
	@echo "installing genlib and what its tests need, torch among it: minutes"
	$(if $(TORCH_INDEX),$(PIP) install -q --index-url $(TORCH_INDEX) -c constraints.txt torch)
	$(PIP) install -q -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist *.egg-info genlib/_native*.so .asan
