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

# What `make image` builds.
IMAGE ?= ghcr.io/batchsched/batchsched:$(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' batchsched/__init__.py)

# Where Python files of ours are.
PYTHON_FILES := batchsched tests docs

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
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "installing the locked dependencies into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

.PHONY: lock
lock: ## write requirements/*.lock anew from pyproject.toml (UPGRADE=--upgrade for newer versions)
	@$(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@$(LOCK) pyproject.toml -o requirements/run.lock >/dev/null
	@$(LOCK) --group dev pyproject.toml -o requirements/dev.lock >/dev/null
	@$(LOCK) --group go -o requirements/go.lock >/dev/null
	@rm -rf $(VENV)-lock
	@! grep -nE '://|file:|^-' requirements/*.lock || { echo "an address or an option is in a lock file" >&2; exit 1; }

# One lock for all platforms and versions; no header and no address, so that it is the same from everywhere.
LOCK = $(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE)

##### What people run ##################################################################################

.PHONY: demo
demo: setup ## run the whole loop on the embedded cluster, and leave demo-out/
	@$(BIN)/python -m batchsched simulate models/demo -o demo-out

.PHONY: test
test: setup ## run all tests (one: make test ARGS="-k gang")
	@$(BIN)/python -m tests.controlplane.build || [ "$$CI" != true ] # without it, its tests are skipped
	@$(BIN)/python -m tests.deploy.tools || [ "$$CI" != true ] # as above
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

.PHONY: controlplane
controlplane: setup ## build the control plane of the tests once (5 minutes), and print where it is
	@$(BIN)/python -m tests.controlplane.build

.PHONY: renderers
renderers: setup ## build kustomize and helm for the tests of deploy/ once, and print where they are
	@$(BIN)/python -m tests.deploy.tools

.PHONY: image
image: ## build the container image IMAGE
	docker build -f deploy/Dockerfile -t $(IMAGE) .

.PHONY: image-check
image-check: setup ## do what deploy/Dockerfile says in a clean folder, without docker, and run it
	@$(BIN)/python -m tests.deploy.image

.PHONY: check
check: setup ## everything CI asks besides the tests: format, lint, types, layers, docs
	@$(BIN)/ruff format --check $(PYTHON_FILES)
	@$(BIN)/ruff check $(PYTHON_FILES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python docs/generate.py --check
	@$(BIN)/python -m pytest -q -p no:cacheprovider tests/test_docs.py tests/test_tidy.py

.PHONY: sim
sim: setup ## run the simulator on SEEDS seeds (1000)
	@SEEDS=$(SEEDS) $(BIN)/python -m pytest -n auto --dist worksteal tests/simulation $(ARGS)

.PHONY: bench
bench: setup ## measure, and compare with the limits (parts: make bench ARGS="ladder rules")
	@$(BIN)/python -m tests.benchmarks.run $(ARGS)

.PHONY: bench-live
bench-live: controlplane ## measure beside kube-scheduler, on a real API server
	@$(BIN)/python -m tests.benchmarks.run live side-by-side $(ARGS)

.PHONY: fmt
fmt: setup ## format, and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet $(PYTHON_FILES)
	@$(BIN)/ruff format $(PYTHON_FILES)

.PHONY: docs
docs: setup ## write the generated parts of docs/ anew
	@$(BIN)/python docs/generate.py

.PHONY: clean
clean: ## remove all that the other targets made
	rm -rf $(VENV) $(VENV)-lock .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache \
	  build dist demo-out bench-out
	find batchsched tests docs -name __pycache__ -type d -prune -exec rm -rf {} +
