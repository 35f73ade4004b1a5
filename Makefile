# Everything a newcomer or a build machine runs. Plain POSIX sh and GNU make 3.81, as macOS has them.

# The first Python here that fits. Name another with PYTHON=python3.12.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c '$(FITS)' 2>/dev/null && echo $$p && exit; done; echo python3)

VENV   ?= .venv
NEWEST ?= .venv-openai
BIN    := $(VENV)/bin
# Tests at once, each file whole in one process.
WORKERS ?= 2
# Stamps hold the moment at which a step was last done, so that doing it again takes no time.
DONE   := $(VENV)/done

PIP      := $(BIN)/python -m pip --disable-pip-version-check
LOCKED   := $(PIP) install --require-hashes
SETUP    := $(shell find gateway/setup gateway/detect gateway/engine/files/catalogue.py -type f ! -name '*.pyc' 2>/dev/null)
# Where no compiler is to be had a canned model stands in, and neither engine nor model are brought here.
ifeq ($(GATEWAY_LOCAL),canned)
READY    := $(DONE)/setup-canned
else
READY    := $(DONE)/setup
endif

.DELETE_ON_ERROR:
.PHONY: help install run test lint types bench bench-engine bench-context bench-detect bench-routing docs soak lock format clean dev

help:  ## list these targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(READY)  ## set up .venv: dependencies, llama.cpp, the default model, the detector pack
	@echo "Installed in $(VENV): 'make run' starts the gateway."

run: $(READY)  ## start the gateway on 127.0.0.1:8080 (ARGS="--config gateway.yaml")
	@exec $(BIN)/gateway serve $(ARGS)

# The two processes must list the same tests in the same order, so sets have one order in both.
test: export PYTHONHASHSEED = 0
test: dev $(NEWEST)/done  ## run the tests (ARGS="tests/policy -k permit")
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

lint: $(DONE)/dev  ## check style, layers, YAML and what may not be committed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict compose.yaml deploy policies
	scripts/check-tracked

types: $(DONE)/dev  ## check the types (mypy, strict)
	$(BIN)/mypy

bench: $(READY)  ## measure the overhead beside LiteLLM proxy and nginx (ARGS=--quick)
	$(BIN)/python -m bench.overhead $(ARGS)

bench-engine: $(READY)  ## measure the local engine beside llama-server and llama_cpp.server (ARGS=--quick)
	$(BIN)/python -m bench.engine $(ARGS)

bench-context: $(READY)  ## measure what a window that slides keeps and loses (ARGS=--quick)
	$(BIN)/python -m bench.context $(ARGS)

bench-detect: $(READY)  ## measure the detectors beside Presidio, argus-redact and betterleaks (ARGS="--data DIR --write")
	$(BIN)/python -m bench.detect $(ARGS)

bench-routing: $(READY)  ## measure the router by RouteLLM's protocol (ARGS="--routellm DIR --data DIR --write")
	$(BIN)/python -m bench.routing $(ARGS)

docs: dev  ## check the documentation: links, commands, settings, examples
	$(BIN)/python -m pytest tests/docs $(ARGS)

soak: dev  ## load it (ARGS="--minutes 30"), shoot the model's process for two minutes, search for rare examples
	$(BIN)/python -m bench.soak $(ARGS)
	CHAOS_S=120 CHAOS_SEED=$$(date +%s) $(BIN)/python -m pytest tests/engine/test_chaos.py -s
	$(BIN)/python -m pytest -m hypothesis --hypothesis-profile search

format: $(DONE)/dev  ## format the code and repair what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:  ## resolve the dependencies anew and write requirements/*.txt
	@PYTHON=$(PYTHON) scripts/lock

clean:  ## remove what these targets made here (the user's cache and var/ stay)
	rm -rf $(VENV) $(NEWEST) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist

dev: $(READY) $(DONE)/dev

# The steps, each once. A failing step leaves no stamp.

$(DONE)/venv:
	@scripts/preflight $(PYTHON)
	@echo "== $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(DONE)
	@touch $@

$(DONE)/run: requirements/build.txt requirements/run.txt | $(DONE)/venv
	@echo "== dependencies, checked against their hashes"
	@$(LOCKED) --quiet -r requirements/build.txt
	@$(LOCKED) -r requirements/run.txt
	@touch $@

$(DONE)/package: pyproject.toml requirements/engine.txt | $(DONE)/run
	@echo "== the gateway itself"
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(DONE)/setup: $(DONE)/run $(DONE)/package $(SETUP)
	@echo "== the local engine, its model and the detector pack"
	@$(BIN)/python -m gateway.setup
	@touch $@

$(DONE)/setup-canned: $(DONE)/run $(DONE)/package $(SETUP)
	@echo "== the detector pack (GATEWAY_LOCAL=canned: no engine, no model)"
	@$(BIN)/python -m gateway.setup --detectors
	@touch $@

$(DONE)/dev: requirements/dev.txt $(DONE)/run $(DONE)/package
	@echo "== what tests and linters need"
	@$(LOCKED) -r requirements/dev.txt
	@touch $@

$(NEWEST)/done: requirements/openai-newest.txt
	@scripts/preflight $(PYTHON)
	@echo "== the newest openai client, in an environment of its own"
	@$(PYTHON) -m venv $(NEWEST)
	@$(NEWEST)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	@touch $@
