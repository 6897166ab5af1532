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
BENCHES     := $(filter-out __init__ report,$(patsubst bench/%.py,%,$(wildcard bench/*.py)))

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check lint types imports proto proto-fresh bench clean

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

check: lint types imports proto-fresh ## lint, types, import contracts, generated code fresh, docs fresh
	$(BIN)/python -m pytest -q tests/unit/architecture tests/packaging/test_docs.py

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

imports: $(VENV)/.test
	$(BIN)/lint-imports

# The stubs are named here and not in a shell loop, so that a new .proto file is seen by both targets.
PROTOC = $(BIN)/python -m grpc_tools.protoc -I proto --python_out=$(1) --grpc_python_out=$(1) \
	--plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
	--mypy_out=readable_stubs:$(1) --mypy_grpc_out=readable_stubs:$(1) $(PROTOS)

proto: $(VENV)/.test ## regenerate the messages of the device plane
	$(call PROTOC,proto)

proto-fresh: $(VENV)/.test
	@rm -rf $(VENV)/fresh && mkdir -p $(VENV)/fresh
	@$(call PROTOC,$(VENV)/fresh)
	@for file in $$(cd $(VENV)/fresh && find . -type f); do \
		cmp -s "proto/$$file" "$(VENV)/fresh/$$file" || { echo "stale: proto/$$file; run make proto"; exit 1; }; \
	done
	@rm -rf $(VENV)/fresh

bench: $(VENV)/.all ## every benchmark of bench/
	@for name in $(BENCHES); do $(BIN)/python -m bench.$$name -o json || exit 1; done

clean: ## remove .venv and everything that can be made again
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
