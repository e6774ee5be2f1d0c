# The same short targets for people and for CI. `demo` and `test` install what they need; only Python 3.11+ is assumed.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

TOOLS := .tools/bin

.PHONY: install demo test check format bench docs lock licences sbom audit clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt install.sh $(wildcard locks/*.txt)
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

# What follows looks at packages from beside them: the tools have a folder of their own. More in docs/security.md.
$(TOOLS)/uv:
	$(PYTHON) -m venv .tools
	$(TOOLS)/python -m pip install --disable-pip-version-check cyclonedx-bom pip-audit pip-licenses uv

lock: $(TOOLS)/uv
	$(TOOLS)/python locks/make.py lock

licences: $(INSTALLED) $(TOOLS)/uv
	$(TOOLS)/python locks/make.py licences

sbom: $(INSTALLED) $(TOOLS)/uv
	$(TOOLS)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o sbom.json .venv

audit: $(TOOLS)/uv
	$(TOOLS)/pip-audit --strict --disable-pip --require-hashes -r locks/base.txt -r locks/torch.txt

clean:
	rm -rf .venv .tools sbom.json build *.egg-info .mypy_cache .ruff_cache .pytest_cache
