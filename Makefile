# `make demo` shows what freshkb does, `make test` proves it. Both set up .venv first, when it is not there yet.
# PYTHON chooses the interpreter: make test PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: help demo test soak lint bench bench-peers lock clean

help:
	@echo "make demo   mirror, change, search and audit an example knowledge base (first time: some minutes)"
	@echo "make test   run the tests"
	@echo "make soak   the long form of all tests, for hours: random traces, every kill, every fault"
	@echo "make lint   ruff and mypy"
	@echo "make bench  measure, and print one table"
	@echo "make bench-peers  measure a sync beside LangChain's; CORPUS=DIR names a folder of Markdown"
	@echo "make lock   resolve pyproject.toml anew into the requirements files"
	@echo "make clean  remove .venv, .demo and caches"

demo: .venv/runtime
	@$(BIN)/python examples/demo.py

# A worker for each core, and two more: many tests wait, for a process to start or a minute to end.
WORKERS = $$($(BIN)/python -c 'import os; print(min(4, os.cpu_count() or 1) + 2)')
PYTEST := $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder

# As pip does for packages: else each process compiles what it imports, where Python may not write.
COMPILE := $(BIN)/python -m compileall -q connectors index flows freshkb

test: .venv/test
	$(COMPILE) tests
	$(BIN)/python -m tests.rewritten
	$(PYTEST) -n $(WORKERS) $(PYTEST_ARGS)

# 100,000 operations first: their trace is written out when one fails.
soak: .venv/test
	$(BIN)/python -m tests.traces --ops 200 --seeds 500 --jobs $$($(BIN)/python -c 'import os; print(os.cpu_count() or 1)')
	$(PYTEST) -n $(WORKERS) --soak --override-ini faulthandler_timeout=7300 $(PYTEST_ARGS)

lint: .venv/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/test
	$(BIN)/python -m benchmarks

bench-peers: .venv/test .venv-peers/installed
	$(BIN)/python -m benchmarks.peers $(if $(CORPUS),--corpus $(CORPUS))

# What freshkb is compared with shares nothing with it but the machine's build of torch.
.venv-peers/installed: benchmarks/peers/requirements.lock
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --requirement benchmarks/peers/requirements.lock
	@touch $@

# The stamps are newer than what they were made from, so a second `make` installs nothing.
.venv/test: requirements-test.lock .venv/runtime
	$(BIN)/python -m pip install --quiet --requirement requirements-test.lock
	@touch $@

.venv/runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "freshkb needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	    "Name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up .venv; the first time takes some minutes."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(COMPILE)
	@touch $@

# Resolved with the oldest Python, whose versions run on the newer ones too; what only they or the build of
# freshkb itself need is added by name. Local version suffixes name one machine's build, so they go.
PIP_COMPILE := .venv/lock/bin/pip-compile --quiet --upgrade --allow-unsafe --strip-extras --no-annotate --no-header \
  --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

lock: .venv/runtime
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "make lock needs PYTHON=python3.11")'
	$(BIN)/python -m venv .venv/lock
	.venv/lock/bin/pip install --quiet pip-tools==7.6.2
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["test"], \
	  sep="\n")' > .venv/lock/test.in
	printf '%s\n' 'whenever<0.11' 'hatchling<2' editables > .venv/lock/runtime.in
	$(PIP_COMPILE) -o .venv/lock/runtime.txt pyproject.toml .venv/lock/runtime.in
	$(PIP_COMPILE) --all-extras -o .venv/lock/test.txt -c .venv/lock/runtime.txt pyproject.toml .venv/lock/runtime.in .venv/lock/test.in
	$(PIP_COMPILE) -o .venv/lock/peers.txt benchmarks/peers/requirements.in
	for name in runtime test peers; do \
	  sed -E -i.bak -e '/^ *#/d; s/\+[a-z0-9.]+$$//' \
	    -e 's/^pendulum==.*/& ; python_version < "3.13"/; s/^whenever==.*/& ; python_version >= "3.13"/' \
	    .venv/lock/$$name.txt; \
	done
	cp .venv/lock/runtime.txt requirements.lock
	cp .venv/lock/test.txt requirements-test.lock
	cp .venv/lock/peers.txt benchmarks/peers/requirements.lock

clean:
	rm -rf .venv .venv-peers .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis
