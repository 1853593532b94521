# `make` alone lists what can be asked for. Each target does its own set-up (tools/setup.py).
# PYTHON=python3.13 chooses the Python; ARGS="…" is passed on to the command.

SHELL := /bin/sh
PYTHON ?=
ARGS ?=
RUN := .venv/bin/python
SETUP := @PYTHON="$(PYTHON)" sh tools/setup.sh

.DEFAULT_GOAL := help
.PHONY: help demo demo-link demo-reset test setup setup-test check bench soak screenshots clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: ## the whole hub on this machine with simulated devices; prints the address
	$(SETUP) demo
	@exec $(RUN) manage.py demo $(ARGS)

demo-link: ## another one-time sign-in link for the demo that is running
	$(SETUP) demo
	@exec $(RUN) manage.py demo --link $(ARGS)

demo-reset: ## remove the demo's data
	$(SETUP) demo
	@exec $(RUN) manage.py demo --reset $(ARGS)

test: ## all checks and all tests; ARGS="unit stack" for some of the runs
	$(SETUP) test
	@exec $(RUN) -m tools.run_tests $(ARGS)

setup: ## only the set-up that demo needs
	$(SETUP) demo

setup-test: ## only the set-up that test needs
	$(SETUP) test

check: ## format, lint, types, layers; ARGS="mypy biome" for some of them
	$(SETUP) check
	@exec $(RUN) -m tools.check $(ARGS)

bench: ## measure; figures, not tests. ARGS="ingest fanout" for some: ingest fanout history first_reading
	$(SETUP) test
	@exec $(RUN) -m tests.bench $(ARGS)

soak: ## 30 minutes of steady load: nothing lost, memory flat; ARGS="--minutes 5" for less
	$(SETUP) test
	@exec $(RUN) -m tests.bench.soak $(ARGS)

screenshots: ## make the pictures of the README from a running demo
	$(SETUP) test
	@exec $(RUN) -m tools.screenshots $(ARGS)

clean: ## remove caches and reports; leaves the environment and the data
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis test-results .setup.log
	find . \( -name .venv -o -name node_modules -o -name .git \) -prune -o -type d -name __pycache__ -exec rm -rf {} +
