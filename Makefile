PYTHON ?= python3
ARGS ?=
WORKERS ?= 3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-thorough test-s3 check contracts house wheel bench lock clean venv system

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.ready ## Generate a bank of 2,000 customers and run everything; the report lands in build/demo
	$(BIN)/tenure demo --customers 2k --dir build/demo

test: .venv/.ready system ## Run the tests, a file a worker, WORKERS=3; ARGS="-k labels" or ARGS="-m 'not slow'" narrows them
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not s3_matrix and not thorough" $(ARGS)

test-thorough: .venv/.ready system ## Run the whole matrices of kills, damages and engines, of which `make test` runs a part; hours
	TENURE_THOROUGH=1 $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not s3_matrix" $(ARGS)

test-s3: .venv/.ready ## Run everything about S3: more writers, faults and kills than `make test` does
	TENURE_S3_COMMITS=500 $(BIN)/pytest -n $(WORKERS) tests/storage tests/store/test_lease.py tests/store/test_lake_on_s3.py \
		tests/store/test_copying.py tests/store/test_faults_of_s3.py $(ARGS)

check: .venv/.ready ## Lint, formatting, types, and the directions of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict tenure
	$(BIN)/lint-imports --no-logo

contracts: .venv/lint/.ready ## Lint the examples' data contracts with datacontract-cli, in a venv of its own
	for file in examples/*/contracts/*.yaml; do .venv/lint/bin/datacontract lint $$file > .venv/lint/said.txt \
		|| { cat .venv/lint/said.txt; exit 1; }; done

house: .venv/.ready ## Measure the rooms and how dense their lines are, against the goals; ARGS="--tree CHECKOUT" measures another
	$(BIN)/python benchmarks/house.py $(ARGS)

wheel: .venv/.ready ## Build dist/tenure-….whl, for other machines
	$(BIN)/python -m hatchling build --target wheel

bench: .venv/.ready ## Time the features against their peers; ARGS="--size M --check"
	$(BIN)/python benchmarks/features.py $(ARGS)

lock: .venv/.ready ## Solve pyproject.toml anew into requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra all --extra segments --group dev --universal \
		--python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade --quiet -o requirements.lock

clean: ## Remove what runs and builds left behind; .venv stays
	rm -rf build dist lake .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

venv: .venv/.ready

# uv comes out of the lock, by hash like the rest: five times quicker than pip, which stays as the way that always works.
.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tenure needs Python 3.11 or newer; run make with PYTHON=<path to one>.")'
	$(PYTHON) -m venv .venv
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r .venv/uv.txt
	$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode --python $(BIN)/python requirements.lock \
		|| $(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# datacontract-cli wants other versions of libraries than Tenure does.
.venv/lint/.ready: .venv/.ready
	$(PYTHON) -m venv .venv/lint
	$(BIN)/uv pip install --quiet --python .venv/lint/bin/python datacontract-cli==1.2.8 \
		|| .venv/lint/bin/python -m pip install --quiet datacontract-cli==1.2.8
	@touch $@

# Java 17 for Spark, a browser for the report's page and an ODBC driver with its manager. Installed only where apt and root are at hand;
# elsewhere the tests that need them skip and say so.
system:
	@missing=""; \
	command -v java > /dev/null || missing="$$missing openjdk-17-jre-headless"; \
	command -v chromium > /dev/null || missing="$$missing chromium"; \
	odbcinst -q -d 2> /dev/null | grep -q PostgreSQL || missing="$$missing odbc-postgresql unixodbc"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		echo "installing:$$missing"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; } \
			> .venv/system.log 2>&1 || echo "not installed (.venv/system.log):$$missing; the tests that need them skip"; \
	else \
		echo "not installed, needs root and apt-get:$$missing; the tests that need them skip"; \
	fi
