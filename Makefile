# The same few commands for everyone and for continuous integration.
# A bare machine needs only make and python3 (3.11 or newer) with venv.

PYTHON ?= python3
PORT ?= 8000
CHAPTERS ?=
# Not from the environment, where other programs leave such a variable.
NAME :=

VENV_PYTHON := .venv/bin/python

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help book test rerun serve bench sweep lint lock clean environment

help: ## list these commands
	@echo "Usage: make COMMAND"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 12
	@echo "Settings: PYTHON=python3.12 (all), PORT=8000 (serve), CHAPTERS=\"claim\" (rerun),\
 NAME=activations (sweep)"

book: environment ## build the book from the stored outputs, print the verdict
	@$(VENV_PYTHON) -m tools.book
	@$(VENV_PYTHON) -m tools.verdict

test: environment ## check everything: library, every output of every chapter, the built book
	@$(VENV_PYTHON) -m tools.book
	@$(VENV_PYTHON) -m pytest

rerun: environment ## execute the chapters again, in place (CHAPTERS="claim …" for some)
	@$(VENV_PYTHON) -m tools.rerun $(CHAPTERS)

serve: book ## show the built book at http://localhost:8000 (PORT=… for another port)
	@$(VENV_PYTHON) -m tools.serve $(PORT)

bench: environment ## measure how fast the library is, write benchmarks/results.md
	@$(VENV_PYTHON) -m benchmarks

sweep: environment ## run or continue a large sweep (NAME=…), write its summary to results/
	@test -n "$(NAME)" || { echo "Which one? For instance:  make sweep NAME=activations";\
	 $(VENV_PYTHON) -m bnlib list; exit 1; }
	@$(VENV_PYTHON) -m bnlib sweep "$(NAME)" --output "results/$(NAME).jsonl"
	@$(VENV_PYTHON) -m bnlib summary "$(NAME)" "results/$(NAME).jsonl" --output "results/$(NAME).json"

lint: environment ## style and types: ruff and mypy
	@$(VENV_PYTHON) -m ruff check
	@$(VENV_PYTHON) -m ruff format --check
	@$(VENV_PYTHON) -m mypy

lock: environment ## write requirements.txt anew from pyproject.toml (needs the network)
	@$(VENV_PYTHON) -m tools.lock

clean: ## remove everything that is generated: .venv, _build, caches
	rm -rf .venv _build .pytest_cache .mypy_cache .ruff_cache .hypothesis mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found. Remedy: install\
	 Python 3.11 or newer, or name one:  make book PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -B -m tools.environment
