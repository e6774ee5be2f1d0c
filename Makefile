# The same short targets for people and for CI. `demo` and `test` install what they need; only Python 3.11+ is assumed.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: install demo test check format bench docs clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt install.sh
	PYTHON="$(PYTHON)" sh install.sh
	@touch $@

demo: $(INSTALLED)
	$(BIN)/dialoguellm run demo

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED)
	for script in benchmarks/*.py; do $(BIN)/python $$script --quick || exit 1; done

docs: $(INSTALLED)
	$(BIN)/python docs/reference.py
	$(BIN)/python -m sphinx -q -W --keep-going docs build/docs
	@echo build/docs/index.html

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
