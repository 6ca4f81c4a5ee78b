# make demo   the main job, live, to a checked end         make test   every check and test
# Both set everything up themselves. Needed: Python >= 3.11 and make. PYTHON=python3.12 chooses another interpreter.

SHELL := /bin/sh
VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo picture test check lint unit bench pauses fuzz clean

help: ## Show the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(STAMP) ## Make .venv with the pinned dependencies (a JRE too, if no Java >= 17 is here)

$(STAMP): pyproject.toml constraints.txt .ci/setup $(wildcard cdc/native/src/*.rs cdc/native/Cargo.toml cdc/native/crates.lock)
	@VENV=$(VENV) sh .ci/setup
	@touch $@

demo: $(STAMP) ## The main job on two live databases, with faults and forgeries, to a checked end
	@$(BIN)/cdc demo

picture: $(STAMP) ## Run the demo, and put what it prints into README.md and docs/demo.svg
	@out=$$(mktemp) && $(BIN)/cdc demo > $$out && $(BIN)/python -m cdc.local.demo.picture $$out && rm $$out

test: lint ## Everything that check does, and all tests on real servers
	$(BIN)/python -m pytest --require-services --durations=30

check: lint ## Lint, types, import contracts, unit and property tests: no servers
	$(BIN)/python -m pytest -q tests/unit tests/property tests/house

lint: $(STAMP) ## Lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(STAMP) ## Unit tests only
	$(BIN)/python -m pytest -q tests/unit

bench: $(STAMP) ## How fast one stream is drained, against Debezium and a bare floor (about 20 minutes, nothing else running)
	@$(BIN)/python -m tests.bench $(BENCH)

pauses: $(STAMP) ## What a schema change costs a stream under full load (about 5 minutes, nothing else running)
	@$(BIN)/python -m tests.bench.evolving $(BENCH)

fuzz: $(STAMP) ## Random schemas and changes, source against warehouse: make fuzz FUZZ="--schemas 2000 --seed 7"
	@$(BIN)/python -m tests.fuzz $(FUZZ)

clean: ## Stop the local stack and delete .cdc and .venv
	@if [ -x $(BIN)/cdc ] && [ -d .cdc ]; then $(BIN)/cdc local reset --yes; fi
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
