# Everything runs in .venv, made from requirements.lock on first use.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help env demo pictures test test-slow test-slurm check format schemas lock clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

env: .venv/.installed  ## Create the environment in .venv from the lock file

# uv installs the locked versions in seconds where pip takes minutes; it comes from the lock itself.
# Compiled at once: processes are many, and some machines (PYTHONDONTWRITEBYTECODE) would compile in each anew.
.venv/.installed: requirements.lock pyproject.toml tools/environment.py
	@echo "Creating .venv (about two minutes; PyTorch is large)"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "$$(grep -E '^uv==' requirements.lock)"
	$(BIN)/python tools/environment.py requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: env  ## The whole study on drawn images: tables, figures and a deck in minutes, no network, no GPU
	snakemake all --profile profiles/cpu --configfile config/demo.yaml

pictures: env  ## Run the demo and make the README's pictures of it (needs tmux)
	tools/pictures.sh

test: env  ## The test suite (no GPU, no network)
	pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow and not slurm"

test-slow: env  ## The slow tests
	pytest -m slow

test-slurm: env  ## The tests on a real Slurm; installs Debian's packages for it
	tests/slurm/install.sh || echo "The packages cannot be had here; the tests will be skipped."
	pytest -m slurm -rs tests/slurm

check: env  ## Lint, format and types
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check workflow
	snakemake --lint

format: env  ## Format everything
	ruff check --fix .
	ruff format .
	snakefmt workflow

schemas: env  ## Make the schemas of the configuration from its models
	python -m bakeoff.study.schemas workflow/schemas

lock: env  ## Resolve pyproject.toml into requirements.lock
	uv pip compile --quiet --universal --no-emit-index-url --no-header --all-extras --python-version 3.11 pyproject.toml -o requirements.lock

clean:  ## Remove caches; keeps .venv, resources and results
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
