# Everything a developer runs. `make help` lists it.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := -m pip install --quiet --disable-pip-version-check
PATHS := PYTHONPATH=layers/reporter:.

.PHONY: help check lint types contracts test clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/ready: requirements-dev.txt layers/dependencies/requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 is needed, and none was found on PATH."; exit 1; }
	@echo "Setting up the development environment (once) ..."
	@$(PYTHON) -m venv .venv && $(BIN)/python $(PIP) -r requirements-dev.txt && touch $@

check: lint types contracts test ## Everything that CI runs

lint: .venv/ready ## Style and common mistakes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/ready ## Types, strictly
	$(BIN)/mypy

contracts: .venv/ready ## Who may import whom
	$(PATHS) $(BIN)/lint-imports

test: .venv/ready ## All tests
	$(BIN)/pytest

clean: ## Remove what was built
	rm -rf .venv .venv-* .aws-sam .local reports
