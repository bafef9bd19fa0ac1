# What each does: README.md. Everything that is missing is set up first; `make setup` alone does just that.
SHELL := /bin/sh
BIN := .venv/bin
UV := $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --python-version 3.11

.PHONY: demo test soak image bench lint setup tools lock clean

demo: setup
	@$(BIN)/meterwarden demo

test: lint tools
	@$(BIN)/python -m pytest -m "not benchmark and not soak" -n 2 --dist worksteal

soak: setup tools
	@$(BIN)/python -m tests.benchmarks.scores soak

image: setup
	@$(BIN)/python -m tests.deploy.operations.clean_root

bench: setup
	@$(BIN)/python -m tests.benchmarks.scores bench

lint: setup
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell

setup:
	@deploy/setup.sh

tools:
	@deploy/setup.sh tools

lock: setup
	@$(UV) pyproject.toml --extra dev --output-file deploy/locks/dev.txt
	@printf 'setuptools>=77\nuv\n' | $(UV) - --output-file deploy/locks/tools.txt
	@for one in iec104=hat-drivers==0.10.10 dlt698=dlt698==1.0.1 opcua=asyncua==2.1.0; do \
		echo "$${one#*=}" | $(UV) - --output-file deploy/locks/counterparts/$${one%%=*}.txt; done
	@printf 'opendsm==1.2.7\n' | $(UV) - --no-deps --output-file deploy/locks/samples.txt

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
