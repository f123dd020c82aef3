# Everything this project does is a target here; CI and pre-commit call the same ones.
# A fresh machine needs Python >= 3.11 and make. `make help` lists the targets.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.setup-done

# How many seeds `make sim` runs. A failing one is printed and can be run alone.
SEEDS ?= 1000
# More arguments for pytest: make test ARGS="-k gang".
ARGS ?=

# Python files of ours; folders that hold none are fine.
SOURCES := batchsched tests $(wildcard docs)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

##### Set-up ##########################################################################################

.PHONY: setup
setup: $(STAMP) ## create .venv with the locked dependencies (again only when they changed)

# The stamp depends on what decides the environment. `pip install` is told to refuse anything unhashed;
# the project itself is then installed without looking for dependencies or build tools elsewhere.
$(STAMP): requirements/dev.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "batchsched needs Python >= 3.11, and '$(PYTHON)' was not found; name one: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "batchsched needs Python >= 3.11, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1); name a newer one: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' comes without venv (on Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked dependencies into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

