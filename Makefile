PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin

.PHONY: train test check docs bench attack audit env

train: env  ## the main job: GCN teacher, InfGraND student, Cora, five seeds
	$(BIN)/gkd-train $(ARGS)

test: env  ## all tests; ARGS="-m 'not slow'" leaves out those that start processes or browsers
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal $(ARGS)

check: env  ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: env  ## the documentation in site/, which needs no network to read
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict $(ARGS)

bench: env  ## time and memory beside a plain reference; ARGS="cora pubmed --json new.json"
	PYTHONPATH=scripts $(BIN)/python -m bench $(ARGS)

attack: env  ## damage every kind of file and kill jobs: all is noticed or harmless; half an hour
	PYTHONPATH=scripts OMP_NUM_THREADS=1 $(BIN)/python -m attack $(ARGS)

audit:  ## known vulnerabilities in constraints.txt, by PyPI; by OSV with ARGS="-s osv"
	work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && $(PYTHON) -m venv "$$work" \
	&& "$$work/bin/python" -m pip install -q pip-audit \
	&& "$$work/bin/pip-audit" --strict --no-deps --disable-pip -r constraints.txt $(ARGS)

env: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev,plot,trackio]"
	touch $@
