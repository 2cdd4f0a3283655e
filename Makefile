# Commands for users and developers. Each one installs what it needs into .venv first.
#   make quickstart   train all variants with 16 seeds each on 5,000 digits, and print the table
#   make test         linters, type checker and tests
#   make check        linters and type checker only
#   make slow         tests that take minutes
#   make format       format the code
# To use another interpreter: make PYTHON=python3.12 VENV=.venv-3.12 test

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable
NATIVE := $(wildcard model/engines/lanes/*.cc model/engines/lanes/*.h)
CPP := $(NATIVE) $(wildcard tests/model/*.cc benchmarks/*.cc)
INSTALLED_FROM := pyproject.toml setup.py constraints.txt model/engines/lanes/build.py $(NATIVE)

.DELETE_ON_ERROR:
.PHONY: quickstart test check slow format

quickstart: $(VENV)/installed
	$(BIN)/sweep run quickstart

test: check
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CPP)

slow: $(VENV)/installed-dev
	$(INSTALL) '.[dev,mlflow,wandb]'
	$(BIN)/python -m pytest -m slow

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "$(PYTHON) is Python " + sys.version.split()[0] + ": Python 3.11 or newer is needed, e.g. make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(INSTALLED_FROM) | $(BIN)/python
	$(INSTALL) .
	@touch $@

$(VENV)/installed-dev: $(INSTALLED_FROM) | $(BIN)/python
	$(INSTALL) '.[dev]'
	@touch $@ $(VENV)/installed
