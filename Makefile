# One verb each. `make run` and `make test` do all the set-up they need on a machine that has Python 3.11 or later.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
PYTEST_ARGS ?=
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run demo test check fmt bench soak web docs lock release clean system-packages

help: ## list the verbs
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run web ## set up, start the proxy on 8000 and the dashboard on 3000
	$(BIN)/anton proxy start --dashboard $(ARGS)

demo: $(VENV)/.run web ## the same on a throw-away database, with a scripted multi-agent run to look at
	$(BIN)/anton proxy demo $(ARGS)

test: $(VENV)/.dev web system-packages ## set up, run every test
	$(BIN)/python -m pytest -m "not soak" $(PYTEST_ARGS)

check: $(VENV)/.dev web ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/build_web.py --check

fmt: $(VENV)/.dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## measure side by side, print ratios
	@sh tools/system_packages.sh nginx wrk
	$(BIN)/python -m bench $(ARGS)

soak: $(VENV)/.dev web system-packages ## the long versions of the fault tests, and properties on new random cases
	$(BIN)/python -m pytest -m soak $(PYTEST_ARGS)
	$(BIN)/python -m pytest -m "not soak" --hypothesis-profile=long tests/property tests/unit/relay/test_framing_corpus.py

web: $(VENV)/.run ## build the page
	$(BIN)/python tools/build_web.py

docs: $(VENV)/.dev ## rebuild what is generated from the code, check the documents against it
	$(BIN)/python tools/make_types.py
	$(BIN)/python -m pytest tests/shape $(PYTEST_ARGS)

release: $(VENV)/.dev web ## build the wheel and the source archive
	$(BIN)/python -m hatchling build

lock: ## renew the lock files (needs uv)
	sh tools/lock.sh

clean: ## remove what was built
	rm -rf $(VENV) dist web/node_modules src/modular_agents/proxy/dashboard/static

system-packages:
	@sh tools/system_packages.sh chromium sqlite3 -- nginx curl

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(BIN)/python
	$(PIP) install --no-deps --require-hashes -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	$(PIP) install --no-deps --require-hashes -r requirements/dev.txt
	@touch $@
