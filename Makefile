# Two commands on a fresh machine: `make demo` and `make test`. Both make .venv once and reuse it.
# PIP_ARGS is handed to pip (for example the index of PyTorch's CPU build); DEMO_ARGS to `shoal demo`;
# TEST_ARGS to pytest.

PYTHON    ?= python3
VENV      ?= .venv
PIP_ARGS  ?=
DEMO_ARGS ?=
TEST_ARGS ?=

BIN         := $(VENV)/bin
CONSTRAINTS := requirements/constraints.txt
INSTALL     := $(BIN)/python -m pip install --disable-pip-version-check -c $(CONSTRAINTS) $(PIP_ARGS)
PROTOS      := $(sort $(wildcard proto/shoal/v1/*.proto))
BENCHES     := $(filter-out __init__ models report,$(patsubst bench/%.py,%,$(wildcard bench/*.py)))
CORES       := controller/shoal/controller/planning agent/shoal/agent/core proto/shoal/contract

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check lint types coverage coverage-report proto bench clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Shoal needs Python 3.11 or newer; this is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

# One stamp for what runs, one for what tests it: `make test` after `make demo` adds only the test tools.
$(VENV)/.all: $(VENV)/.made pyproject.toml $(CONSTRAINTS)
	$(INSTALL) -e '.[all]'
	@touch $@

$(VENV)/.test: $(VENV)/.all
	$(INSTALL) -e '.[all,test]'
	@touch $@

demo: $(VENV)/.all ## the whole of Shoal on this machine: compress, roll out, watch, roll back
	$(BIN)/shoal demo $(DEMO_ARGS)

test: $(VENV)/.test ## the test suite and a sample of its slow tests
	$(BIN)/python -m pytest $(TEST_ARGS)

test-all: $(VENV)/.test ## every test, the slow ones too
	$(BIN)/python -m pytest --slow all $(TEST_ARGS)

check: lint types ## lint, types, import contracts, generated code fresh, docs fresh
	$(BIN)/python -m pytest -q tests/unit/architecture \
		tests/packaging/test_protos.py tests/packaging/test_docs.py tests/packaging/test_deploy.py

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

coverage: $(VENV)/.test ## branch coverage of the cores: planning, the agent's core, the contract
	$(BIN)/python -m pytest -q tests/unit tests/simulation tests/links --cov --cov-report=
	@$(MAKE) --no-print-directory coverage-report

coverage-report: # of the last run with --cov; each core must reach 95 % by itself
	@for core in $(CORES); do \
		$(BIN)/coverage report --include="$$core/*" --skip-covered --show-missing --fail-under=95 || exit 1; \
	done

proto: $(VENV)/.test ## regenerate the messages of the device plane
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=proto --grpc_python_out=proto \
		--plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
		--plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
		--mypy_out=readable_stubs:proto --mypy_grpc_out=readable_stubs:proto $(PROTOS)

bench: $(VENV)/.all ## every benchmark of bench/
	@for name in $(BENCHES); do $(BIN)/python -m bench.$$name -o json || exit 1; done

clean: ## remove .venv and everything that can be made again
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
