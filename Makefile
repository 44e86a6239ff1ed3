# Everything runs in .venv, which is made when it is first needed. `make help` lists what there is to do.

VENV     ?= .venv
RUN      := $(VENV)/bin/python -m
PACKAGES := pyproject.toml constraints.txt hatch_build.py $(wildcard src/pixel_lm/rendering/native/*.[ch])
# The tests run side by side, one per core: more threads in each would only get in each other's way.
SINGLE   := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
JOBS     ?= logical

.PHONY: help setup quickstart test lint types pytest format bench docs dist clean
.DEFAULT_GOAL := help

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-11s %s\n' "$$name" "$$text"; done

setup: $(VENV)/.ready ## make .venv and install the package, editable
	@echo "ready: $(VENV)/bin/pixel-lm --help"

$(VENV)/.ready: $(PACKAGES)
	@sh scripts/setup.sh $(VENV)
	@touch $@

$(VENV)/.ready-dev: $(PACKAGES)
	@sh scripts/setup.sh $(VENV) dev
	@touch $(VENV)/.ready $@

$(VENV)/.ready-docs: $(PACKAGES)
	@sh scripts/setup.sh $(VENV) docs
	@touch $(VENV)/.ready $@

quickstart: $(VENV)/.ready ## pretrain, fine-tune, evaluate and draw a tiny model; TREEBANK=DIR TEXT=FILE OUT=DIR for your data
	@$(RUN) pixel_lm quickstart $(if $(TREEBANK),--treebank "$(TREEBANK)") $(if $(TEXT),--text "$(TEXT)") \
		$(if $(OUT),--output-dir "$(OUT)")

test: lint types pytest ## check style, types, import directions, and run all tests

lint: $(VENV)/.ready-dev ## check style and format
	@$(RUN) ruff check src tests benchmarks
	@$(RUN) ruff format --check src tests benchmarks || { echo 'not formatted: run `make format`' >&2; exit 1; }

types: $(VENV)/.ready-dev ## check types
	@$(RUN) mypy

# Rendering is tested twice: as it is, and without its compiled part, as on machines that have no compiler.
pytest: $(VENV)/.ready-dev
	@$(if $(ARGS),,PIXEL_LM_COMPILED=0 $(SINGLE) $(RUN) pytest -q -n $(JOBS) --maxprocesses 4 tests/rendering \
		--ignore tests/rendering/test_compiled_lines.py)
	@$(SINGLE) $(RUN) pytest -q -n $(JOBS) --maxprocesses 4 $(ARGS)

format: $(VENV)/.ready-dev ## sort imports and format the code
	@$(RUN) ruff check --select I --fix src tests benchmarks
	@$(RUN) ruff format src tests benchmarks

# Comparisons with recordings of the original implementation need those recordings: REFERENCE names their folder.
REFERENCE ?= ../shared/reference
bench: $(VENV)/.ready ## run the benchmarks; REFERENCE=DIR with recordings of the original to compare with
	@for script in $(filter-out benchmarks/conformance%,$(wildcard benchmarks/*.py)); do \
		echo "== $$script"; $(VENV)/bin/python "$$script" || exit 1; done
	@for what in render models training; do \
		if [ -d "$(REFERENCE)/$$what" ]; then \
			echo "== benchmarks/conformance.py $$what"; $(VENV)/bin/python benchmarks/conformance.py $$what "$(REFERENCE)/$$what" || exit 1; \
		else echo "no recordings in $(REFERENCE)/$$what, not compared: give REFERENCE=DIR"; fi; done

docs: $(VENV)/.ready-docs ## build the site into site/
	@$(RUN) mkdocs build --strict --quiet && echo "site/index.html"

dist: $(VENV)/.ready-dev ## build wheel and source archive into dist/
	@rm -rf dist && $(RUN) build --outdir dist .

clean: ## remove what was built here, .venv included
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache src/*.egg-info
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
