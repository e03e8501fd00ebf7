# Two commands: make compare and make test. Both create .venv.
PYTHON ?= python3
UV := uv==0.13.9
BIN := .venv/bin
INSTALLED := .venv/.installed
ARGS ?=
# The stamp is written last. Without it an earlier install was interrupted: uv would keep its half-copied packages.
REINSTALL := $(if $(wildcard .venv),$(if $(wildcard $(INSTALLED)),,--reinstall))

.PHONY: compare test lint format bench lock

compare: $(INSTALLED)
	@$(BIN)/headstart-train experiment=compare seed=0,1,2,3,4 data.labels_per_class=20 $(ARGS)

test: $(INSTALLED)
	@$(BIN)/python -m pytest -n logical --dist loadfile $(ARGS)

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
		--no-emit-index-url --no-annotate --no-header --quiet $(ARGS) -o requirements.lock

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Headstart needs Python 3.11 or newer; name one by make PYTHON=python3.11")'
	@test -e $@ || $(PYTHON) -m venv .venv
	@rm -f $@
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --link-mode=copy --compile-bytecode $(REINSTALL) \
		--require-hashes -r requirements.lock
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@
