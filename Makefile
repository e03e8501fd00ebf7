# make compare and make test are the two commands; both make .venv by themselves.
PYTHON ?= python3
UV := uv==0.13.9
BIN := .venv/bin
INSTALLED := .venv/.installed
ARGS ?=

.PHONY: compare test lint format bench lock

compare: $(INSTALLED)
	@$(BIN)/headstart-train experiment=compare $(ARGS)

test: $(INSTALLED)
	@$(BIN)/python -m pytest $(ARGS)

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(INSTALLED)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(INSTALLED)
	@$(BIN)/python scripts/bench.py $(ARGS)

lock: $(INSTALLED)
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --quiet -o requirements.lock

# The stamp is written last: an install that was interrupted is made anew.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Headstart needs Python 3.11 or newer; name one by make PYTHON=python3.11")'
	@rm -f $@
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --link-mode=copy --compile-bytecode --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@
