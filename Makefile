# The same few commands for everyone and for continuous integration.
# A bare machine needs only make and python3 (3.11 or newer) with venv.

PYTHON ?= python3
PORT ?= 8000
CHAPTERS ?=
# Not from the environment, where other programs leave such a variable.
NAME :=
TEST :=

VENV_PYTHON := .venv/bin/python

# .venv holds a stamp for the packages and one for bnlib. Their names are sums of what they were
# made with, so that another Python, another folder (of a moved or copied checkout), another lock
# or version has none yet, whatever the dates of files. Each lists what it installed; where
# something of that is lost, all is installed again.
SUM := 2>/dev/null | cksum | tr ' ' -
PACKAGES := .venv/packages-$(shell { $(PYTHON) -VV; pwd; cat requirements.txt; } $(SUM))
BNLIB := .venv/bnlib-$(shell { cat pyproject.toml; grep ^__version__ bnlib/__init__.py; } $(SUM))
LAB := .venv/lab-$(shell cat requirements-lab.txt $(SUM))
MUTANTS := .venv/mutants-$(shell cat requirements-mutants.txt $(SUM))
LOST := $(shell cat $(PACKAGES) $(BNLIB) 2>/dev/null | xargs ls -dL 2>&1 >/dev/null)

# What Python and pytest read from the environment (PYTHONPATH, PYTEST_ADDOPTS, …) would run
# something else; of pip's settings tools/environment.py takes where packages come from. In
# any locale the texts have all their letters.
unexport $(filter PYTHON% PYTEST_% VIRTUAL_ENV%,$(.VARIABLES))
export PYTHONUTF8 := 1
export LC_ALL := $(if $(filter Darwin,$(shell uname)),en_US.UTF-8,C.UTF-8)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help book pdf test check-all rerun record serve lab bench faults mutants pages-report timing sweep proof lint lock release clean environment

help: ## list these commands
	@echo "Usage: make COMMAND"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16
	@echo "Settings: PYTHON=python3.12 (all), PORT=8000 (serve), CHAPTERS=\"claim\" (rerun),\
 NAME=activations (sweep), TEST=1 (timing), UPGRADE=1 (lock)"

book: environment ## build the book from the stored outputs, print where it lies and the verdict
	@$(VENV_PYTHON) -m tools.book
	@$(VENV_PYTHON) -m bnlib

pdf: book ## print the book into one PDF, which its pages then offer (needs Chromium)
	@$(VENV_PYTHON) -m tools.pdf

test: environment ## check everything: library, every output of every chapter, the built book
	@$(VENV_PYTHON) -m pytest

check-all: environment ## the same, and what takes longer: all pages, downloads, without make
	@BNLIB_PAGES=1 BNLIB_RECIPES=1 BNLIB_DOWNLOADS=1 BNLIB_WITHOUT_MAKE=1 $(VENV_PYTHON) -m pytest
	@$(MAKE) --no-print-directory faults

rerun: environment ## execute the chapters again, in place (CHAPTERS="claim …" for some)
	@$(VENV_PYTHON) -m tools.rerun $(CHAPTERS)
	@$(VENV_PYTHON) -m tools.metadata

record: environment ## write the pages and files that are made from others anew
	@$(VENV_PYTHON) -m tools.record
	@$(VENV_PYTHON) -m tools.ran
	@$(VENV_PYTHON) -m tools.metadata
	@$(VENV_PYTHON) -m tools.licences

serve: book ## show the built book at http://localhost:8000 (PORT=… for another port)
	@$(VENV_PYTHON) -m tools.serve $(PORT)

lab: environment $(LAB) ## open the chapters in JupyterLab, which is installed when first asked for
	@$(VENV_PYTHON) -m tools.lab

bench: environment ## measure how fast the library is, write benchmarks/results.md
	@$(VENV_PYTHON) -m benchmarks

faults: environment ## plant faults in all chapters, see that the checks find them, list them
	@$(VENV_PYTHON) -m tests.book.validate
	@$(VENV_PYTHON) -m tools.metadata

mutants: environment $(MUTANTS) ## change the library in every place, see which change no test finds, list them
	@$(VENV_PYTHON) -m benchmarks.mutants
	@$(VENV_PYTHON) -m tools.metadata

pages-report: book ## measure what the pages weigh on a slow phone, write benchmarks/pages.md
	@$(VENV_PYTHON) -m benchmarks.pages

# The tests compare the page with what was measured: both are written before they run.
timing: environment ## measure time and memory of every chapter (TEST=1: of the tests, too)
	@$(VENV_PYTHON) -m benchmarks.timing chapters
	@$(VENV_PYTHON) -m tools.ran
	@$(if $(TEST),$(VENV_PYTHON) -m benchmarks.timing tests && $(VENV_PYTHON) -m tools.ran)

sweep: environment ## run or continue a large sweep (NAME=…), write its summary to results/
	@test -n "$(NAME)" || { echo "Which one? For instance:  make sweep NAME=activations";\
	 $(VENV_PYTHON) -m bn_experiments list; exit 1; }
	@$(VENV_PYTHON) -m bn_experiments sweep "$(NAME)" --output "results/$(NAME).json"

proof: ## check the proof of the refutation with Coq
	@command -v coqc >/dev/null || { echo "coqc is needed. Remedy: on Debian or Ubuntu\
  sudo apt-get install --no-install-recommends coq libcoq-stdlib"; exit 1; }
	@mkdir -p _build/proof && cp proof/lemma_4_5.v _build/proof/
	@cd _build/proof && coqc lemma_4_5.v && echo "proof/lemma_4_5.v: checked."

lint: environment ## style, types, dependencies, workflows: ruff, mypy, deptry, zizmor (and actionlint, if it is there)
	@$(VENV_PYTHON) -m ruff check
	@$(VENV_PYTHON) -m ruff format --check
	@$(VENV_PYTHON) -m mypy
	@$(VENV_PYTHON) -m deptry .
	@$(VENV_PYTHON) -m tools.workflows

# What is pinned already stays, unless told:  make lock UPGRADE=1
LOCK := .venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11.0\
 --no-emit-index-url --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

lock: environment ## write the requirements files anew from pyproject.toml (needs the network)
	@$(LOCK) --all-extras pyproject.toml --output-file requirements.txt
	@$(LOCK) --group lab --output-file requirements-lab.txt
	@$(LOCK) --group mutants --output-file requirements-mutants.txt

release: pdf ## build what a release holds into _build/release (needs the network)
	@$(VENV_PYTHON) -m tools.release

clean: ## remove everything that is generated: .venv, _build, caches
	rm -rf .venv _build .pytest_cache .mypy_cache .ruff_cache .hypothesis mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment: $(BNLIB)

$(BNLIB): $(PACKAGES)
	@$(PYTHON) -B -m tools.environment bnlib $@

$(LAB): $(PACKAGES)
	@$(PYTHON) -B -m tools.environment lab $@

$(MUTANTS): $(PACKAGES)
	@$(PYTHON) -B -m tools.environment mutants $@

$(PACKAGES): $(if $(LOST),lost)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer\
 is needed, but $(PYTHON) says: $$($(PYTHON) -V 2>&1). Remedy: install a newer Python and name it:\
  make book PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "$(PYTHON) has no venv module (or no ensurepip).\
 Remedy: on Debian or Ubuntu  sudo apt-get install python3-venv ; elsewhere use a complete Python:\
  make book PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -B -m tools.environment packages $@

.PHONY: lost
lost:
