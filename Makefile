# Everything runs in .venv, which is made here when it is missing or pyproject.toml has changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: report test programs lint types format data clean

report: $(STAMP)  ## models against formulas on the CDNOW data (23,570 customers)
	$(BIN)/clvmodel report cdnow --out reports/cdnow

test: $(STAMP)  ## lint, types, then every test, doctest and notebook
	$(MAKE) --jobs --output-sync lint types programs
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto

programs:
	bash scripts/need_programs.sh

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

data: $(STAMP)  ## write data/sample and tests/data again, byte for byte
	$(BIN)/python scripts/make_cdnow_sample.py
	$(BIN)/python scripts/make_shop_orders.py
	$(BIN)/python scripts/make_preset_samples.py

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "clvmodel needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) build reports *.egg-info
