# The only way in. `make run` and `make test` set up all they need by themselves; nothing is installed outside this folder.
.PHONY: run test check story bench setup build lint lint-python lint-page lock clean help
.DEFAULT_GOAL := help

PYTHON ?= python3
PORT ?= 8080
STATE ?= var
export PYTHON
PY := .venv/bin/python
# The order of tests and the examples hypothesis makes: a commit is tested the same way each time, and `make test SEED=2` in another.
SEED ?= 1
# Two at a time; tests of one file, and all that share the running system, stay together (tests/conftest.py).
PYTEST := $(PY) -m pytest -q -n 2 --dist loadgroup --randomly-seed=$(SEED) --hypothesis-seed=$(SEED)
MOTOKO := $(wildcard canisters/motoko/*.mjs canisters/motoko/*.mo canisters/motoko/*/*.mo canisters/motoko/*/*/*.mo canisters/candid/*.did)
PAGES := $(shell find frontend -path frontend/node_modules -prune -o -path frontend/dist -prune -o -type f -print 2>/dev/null)
# npm's own notices would drown the progress lines; errors are still shown.
NPM := npm --no-audit --no-fund --no-update-notifier --loglevel=error

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

run: build ## set up, start everything, play the story once, print the address; Ctrl-C stops, and the next run resumes
	@COMMONWEIGHT_STATE=$(STATE) $(PY) manage.py up --port $(PORT) --seed

story: build ## the whole line headless, from an empty state: writes var/story.json
	@$(PY) -m marketplace.story --fresh --state $(STATE)/headless --out $(STATE)/story.json

test: check ## set up, then every test: unit, contract, story, browser
	@$(PYTEST) -m "slow or story or browser"

check: build ## set up, then lint, types, import rules and the quick tests
	@$(MAKE) --no-print-directory -j2 -O lint
	@$(PYTEST) -m "not slow and not story and not browser"
	@cd frontend && $(NPM) run --silent test

lint: lint-python lint-page

lint-python:
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

lint-page:
	@cd frontend && $(NPM) run --silent lint && $(NPM) run --silent typecheck

bench: build ## measured figures: instructions and ratios, written to var/bench.json and docs/performance.md
	@$(PY) -m tests.benchmarks --out $(STATE)/bench.json
	@$(PY) -m tests.benchmarks.table --figures $(STATE)/bench.json

setup: .venv/.done node_modules/.done frontend/node_modules/.done

build: setup build/canisters/.done frontend/dist/.done

.venv/.done: requirements.lock .ci/tools
	@sh .ci/tools
	@echo "setting up Python packages (once; several minutes) ..."
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	@touch $@

node_modules/.done: package-lock.json .ci/tools
	@sh .ci/tools
	@echo "setting up Node packages ..."
	@$(NPM) ci
	@touch $@

frontend/node_modules/.done: frontend/package-lock.json .ci/tools
	@sh .ci/tools
	@echo "setting up the page's packages ..."
	@cd frontend && $(NPM) ci
	@touch $@

build/canisters/.done: $(MOTOKO) node_modules/.done
	@echo "compiling the canisters ..."
	@node canisters/motoko/build.mjs --out build/canisters
	@touch $@

frontend/dist/.done: $(PAGES) frontend/node_modules/.done
	@echo "building the page ..."
	@cd frontend && $(NPM) run --silent build
	@touch $@

lock: ## renew requirements.lock from what the environment holds
	@.venv/bin/pip freeze | sed 's/+cpu//' | grep -v '^-e' | sort -f > requirements.lock

clean: ## remove what was built; keeps var/ and the environments
	@rm -rf build frontend/dist .mypy_cache .ruff_cache .import_linter_cache
