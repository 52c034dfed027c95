# Everything a person does here. `make demo` and `make test` work on a fresh machine with Python, git and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
ROWS   ?=

# The tests and the demo start many processes: none of them should compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test thorough check format bench lock clean

help: ## these lines
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pilotage needs Python 3.11 or newer; try: make PYTHON=python3.12 ...")'
	@echo "Installing into $(VENV) (once) ..." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: $(VENV)/installed ## everything into .venv, pinned by hash

demo: install ## both stories on a sandbox, then it stays up to be tried (ARGS="--once --json" ends by itself)
	@$(BIN)/pilotage demo $(ARGS)

# Stories over real sockets wait more than they compute: two workers for each core.
PYTEST = $(BIN)/pytest -n $$($(BIN)/python -c 'import os; print(2 * (os.cpu_count() or 1))') \
  --dist worksteal

test: install ## the tests, in less than five minutes on two cores (ARGS="-k name" picks some)
	@$(PYTEST) -m "not thorough" $(ARGS)

thorough: install ## the rest of the tests: every layout end to end, simulated faults, the sandbox's own
	@$(PYTEST) -m thorough $(ARGS)

check: install ## ruff, strict types, import rules
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: install ## mend what ruff can
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: install ## figures against their targets (ROWS=idle picks one; ARGS=--write: docs/benchmarks.md)
	@$(BIN)/python -m tests.bench $(ARGS) $(ROWS)

lock: ## pin everything again, with hashes, naming no host
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
	  --python-version 3.11 pyproject.toml --group dev -o requirements.lock $(ARGS)

clean: ## what the commands above made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist
