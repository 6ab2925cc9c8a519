# Everything a developer runs. `make help` lists it.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
RUNTIME ?= python3.13
PIP := -m pip install --quiet --disable-pip-version-check
PATHS := PYTHONPATH=layers/reporter:layers/pdf:.

.PHONY: help demo up down token logs check lint types contracts validate test chaos soak build bench bench-workbooks bench-peers check-office clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/ready: requirements-dev.txt layers/dependencies/requirements.txt layers/pdf/requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 is needed, and none was found on PATH."; exit 1; }
	@echo "Setting up the development environment (once) ..."
	@$(PYTHON) -m venv .venv && $(BIN)/python $(PIP) -r requirements-dev.txt && touch $@

.venv-sam/ready: requirements-sam.txt
	@echo "Setting up SAM (once) ..."
	@$(PYTHON) -m venv .venv-sam && .venv-sam/bin/python $(PIP) -r requirements-sam.txt && touch $@

.venv-stack/ready: requirements-stack.txt
	@echo "Setting up the local AWS (once) ..."
	@$(PYTHON) -m venv .venv-stack && .venv-stack/bin/python $(PIP) -r requirements-stack.txt && touch $@

READY := .venv/ready .venv-sam/ready .venv-stack/ready

demo: $(READY) ## A report of every sample template, in reports/, on a stack of its own
	@$(PATHS) $(BIN)/python -m local demo

up: $(READY) ## The stack in the background; its URL is in .local/url (SOURCES=file.json: your own data; ACCESS=on: tokens)
	@$(PATHS) SOURCES="$(SOURCES)" ACCESS="$(ACCESS)" $(BIN)/python -m local up

down: .venv/ready ## Stop the stack
	@$(PATHS) $(BIN)/python -m local down

token: .venv/ready ## A bearer token for the local stack (ORGANIZATIONS=uuid,uuid ACTIONS=reports:get,templates:post)
	@$(PATHS) ORGANIZATIONS="$(ORGANIZATIONS)" ACTIONS="$(ACTIONS)" $(BIN)/python -m local token

logs: .venv/ready ## What the local stack and its functions wrote
	@$(PATHS) $(BIN)/python -m local logs

check: lint types contracts validate test ## Everything that CI runs

lint: .venv/ready ## Style and common mistakes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/ready ## Types, strictly
	$(BIN)/mypy

contracts: .venv/ready ## Who may import whom
	$(PATHS) $(BIN)/lint-imports

validate: .venv-sam/ready ## The SAM template
	AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam validate --lint
	AWS_DEFAULT_REGION=us-east-1 .venv-sam/bin/cfn-lint template.yaml

test: $(READY) ## All tests: unit, conformance, integration, template, build, end to end
	$(BIN)/pytest -n 2 --dist loadfile

chaos: $(READY) ## The stack under load while its network fails and its workers are killed (CHAOS_REPORTS=500, CHAOS_SEED=...)
	@$(PATHS) $(BIN)/python -u -m local.chaos

soak: $(READY) ## Chance for long: ten minutes of fuzzing, 5,000 calls, 2,000 lives of reports (PARTS="fuzz api life"); docs/soak.md
	@$(PATHS) PARTS="$(PARTS)" $(BIN)/python -m local.soak

build: .venv-sam/ready ## What sam deploy ships, bytecode included (RUNTIME=python3.13, which must be on PATH)
	@rm -f .aws-sam/built-from
	SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam build --parameter-overrides PythonRuntime=$(RUNTIME)
	@$(RUNTIME) -m compileall -q --invalidation-mode unchecked-hash .aws-sam/build

bench: $(READY) ## The performance tables, ours beside the same by hand (BENCH="--runs 1 --rows 1000 10000 render": less)
	@$(PATHS) $(BIN)/python -m benchmarks $(BENCH)

bench-workbooks: .venv/ready ## Workbooks beside the same by hand, exceljs and carbone (from npm)
	@cd benchmarks/peers && npm install --no-audit --no-fund --ignore-scripts --silent
	@$(PATHS) $(BIN)/python -m benchmarks.workbooks peers

bench-peers: .venv/ready ## The same rows through carbone and jsreport, installed from npm for this alone (BENCH="5 1000 10000": runs, rows)
	@cd benchmarks/peers && npm install --no-audit --no-fund --ignore-scripts --silent
	@$(PATHS) $(BIN)/python -m benchmarks.against_peers $(BENCH)

check-office: $(READY) ## What LibreOffice, qpdf, poppler and Chromium make of our documents (from Debian's packages)
	@$(PATHS) $(BIN)/python -m local.office

clean: ## Remove what was built
	rm -rf .venv .venv-* .aws-sam .local reports
