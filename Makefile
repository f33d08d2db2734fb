# Nexus. `make help` lists the targets; a fresh machine needs only Python 3.11+, pip, Node and make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
DATA ?= .nexus

define CHECK_PYTHON
import sys
found = sys.version_info[:2]
if not (3, 11) <= found < (3, 14):
    sys.exit("Nexus needs Python 3.11 to 3.13, and $(PYTHON) is %d.%d. Name another: make setup PYTHON=python3.12" % found)
endef
export CHECK_PYTHON

.PHONY: help setup run up down test check gen fmt lint type arch contracts bench clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/.synced: pyproject.toml uv.lock
	@test -x $(BIN)/uv || { $(PYTHON) -c "$$CHECK_PYTHON" && $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet "uv==$$(sed -n '/^name = "uv"$$/{n;s/version = "\(.*\)"/\1/p;q}' uv.lock)"; }
	@echo "Installing the locked dependencies ..."
	@$(BIN)/uv sync --frozen --quiet --system-certs
	@touch $@

setup: .venv/.synced ## Install everything: locked dependencies, model weights, the sandbox's images
	@$(BIN)/python -m mesh.weights
	@$(BIN)/python -m mesh.images

run: setup ## Start the mesh, ask a first question, serve until Ctrl-C
	@$(BIN)/nexus up --data $(DATA) --ask "What is 23*17 + sqrt(144)?"

up: setup ## Start the mesh in the background
	@$(BIN)/nexus up --data $(DATA) --detach

down: ## Stop the mesh
	@$(BIN)/nexus down --data $(DATA)

test: setup ## Run the whole test suite
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/architecture tests/unit tests/conformance tests/contract
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/integration tests/security
	@$(BIN)/python -m pytest tests/e2e tests/chaos

check: .venv/.synced lint type arch contracts ## Lint, types, layers, caps, contracts

gen: .venv/.synced ## Generate protos/gen from the contracts
	@$(BIN)/python protos/generate.py

fmt: .venv/.synced ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix --quiet . ; $(BIN)/buf format -w protos

lint: .venv/.synced ## ruff: format and rules
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

type: .venv/.synced ## pyright, strict
	@$(BIN)/pyright

arch: .venv/.synced ## Layers (import-linter) and the caps of the design
	@$(BIN)/lint-imports --no-logo && $(BIN)/python -m pytest tests/architecture

contracts: .venv/.synced ## buf lint, buf breaking against main's last commit, generated code up to date
	@$(BIN)/python protos/check.py

bench: setup ## Measure: ready time, memory, latency, CPU, sandbox
	@$(BIN)/python -m benchmarks

clean: ## Remove what the build made (never the data directory)
	@rm -rf build dist .ruff_cache .hypothesis .import_linter_cache
