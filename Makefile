PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes

demo: $(VENV)/.demo  ## run the whole thing on this machine; ARGS=--exit stops after one round
	$(BIN)/reactor demo $(ARGS)

venv: $(VENV)/.test  ## everything a developer needs, in .venv

$(VENV)/.build: requirements/build.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.package: pyproject.toml $(VENV)/.build
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.demo: requirements/demo.txt $(VENV)/.package
	$(INSTALL) -r $<
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.demo
	$(INSTALL) -r $<
	@touch $@

.PHONY: demo venv
