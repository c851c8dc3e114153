# make demo: installs into .venv and shows the three calls, in Python and over HTTP.
# make test: the same with the development tools, then the tests. Neither installs twice.
# TORCH_INDEX=<url> takes torch, which only the tests need, from an index with small CPU builds.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := $(shell find csrc -name '*.cpp' -o -name '*.h') setup.py pyproject.toml constraints.txt
PY_DIRS := genlib kernels tests bench tools setup.py

.PHONY: demo test lint sanitize bench clean

demo: $(VENV)/.installed
	$(BIN)/python tools/demo.py

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check $(PY_DIRS)
	$(BIN)/ruff format --check $(PY_DIRS)
	$(BIN)/mypy --strict genlib
	$(BIN)/clang-format --dry-run --Werror $$(find csrc bench -name '*.cpp' -o -name '*.h')

sanitize: $(VENV)/.installed-dev
	PYTHON=$(BIN)/python tools/sanitize.sh

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(SOURCES) | $(BIN)/python
	$(PIP) install -q -c constraints.txt -e '.[server]'
	touch $@

$(VENV)/.installed-dev: $(SOURCES) | $(BIN)/python
	$(if $(TORCH_INDEX),$(PIP) install -q --index-url $(TORCH_INDEX) -c constraints.txt torch)
	$(PIP) install -q -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build *.egg-info genlib/_native*.so .asan
