PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip
INSTALL := $(UV) install --quiet --python $(BIN)/python
COMPILE := $(UV) compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --no-emit-index-url --no-emit-find-links $(LOCK)

# Started services load compiled modules, as they do for everybody: it halves their start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check lint fix docs bench lock servers venv clean

help:  ## say what there is to make
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:.*##/\t/'

demo: $(VENV)/.demo  ## run it all on this machine; ARGS=--exit stops after one round
	$(BIN)/reactor demo $(ARGS)

test: servers  ## install what the tests need, servers included, and run all of them
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

check: lint  ## what to run before each commit: lint, types, imports, unit tests
	$(BIN)/pytest --quiet tests/unit

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo

fix: venv  ## put right what a tool can put right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: venv  ## play the scenarios of docs/ anew, and write what they show
	$(BIN)/python -m docs.diagrams

bench: servers $(VENV)/.bench  ## measure, print a table, write JSON
	$(BIN)/python -m benchmarks $(ARGS)

lock: venv  ## write requirements/ anew from pyproject.toml; LOCK=--upgrade takes newer versions
	$(COMPILE) --group build -o requirements/build.txt
	$(COMPILE) pyproject.toml --extra demo -o requirements/demo.txt
	$(COMPILE) pyproject.toml --extra alerts --extra parquet --extra postgres --extra registry -c requirements/demo.txt -o requirements/service.txt
	$(COMPILE) pyproject.toml --all-extras --group test -c requirements/demo.txt -o requirements/test.txt
	$(COMPILE) --group bench -c requirements/test.txt -o requirements/bench.txt

servers: venv  ## install Kafka, a schema registry, PostgreSQL, Prometheus and Chromium for the tests
	$(BIN)/python -m tests.servers

venv: $(VENV)/.test  ## the virtual environment with everything a developer needs

$(VENV)/.build: requirements/build.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.demo: pyproject.toml requirements/demo.txt $(VENV)/.build
	$(INSTALL) --require-hashes -r requirements/demo.txt
	$(INSTALL) --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.demo
	$(INSTALL) --require-hashes -r $<
	@touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.test
	$(INSTALL) --require-hashes -r $<
	@touch $@

clean:  ## remove what was made here; downloaded servers stay in the cache
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist
