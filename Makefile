# make demo: install, train on the built-in digits, evaluate, predict.   make test: everything CI runs.   make help: the rest.
PYTHON ?= python3
BIN := .venv/bin
RUN = $$(readlink -f runs/latest)
PIP = -m pip install --quiet --disable-pip-version-check
QUIETLY = PYTHONWARNINGS='ignore:Editable installation'
PYTEST = -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# In tests/, since it pins what checkouts and CI install; `pip install .` takes the ranges of pyproject.toml.
PINS := tests/constraints.txt

.PHONY: install help demo test test-lowest test-newest pins configs graphs browser bench torture fuzz clean

install: .venv/installed  ## make .venv, with the packages pinned in tests/constraints.txt (another Python: PYTHON=python3.12)

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r target what; do printf 'make %-13s%s\n' "$$target" "$$what"; done

# A .venv of another Python than the one that is asked for is made anew.
ifneq ($(origin PYTHON), file)
MINOR = $(shell { $(1) -c 'import sys; print(*sys.version_info[:2])'; } 2> /dev/null)
ifneq ($(call MINOR,$(PYTHON)), $(call MINOR,$(BIN)/python))
.PHONY: .venv/installed
CLEAR := --clear
endif
endif

define check_python
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "cnnctl needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
endef

# pip first: the one that a new environment has may be too old to know --build-constraint.
.venv/installed: pyproject.toml $(PINS)
	$(check_python)
	$(PYTHON) -m venv $(CLEAR) .venv
	$(BIN)/python $(PIP) --constraint $(PINS) --upgrade pip
	$(QUIETLY) $(BIN)/python $(PIP) --constraint $(PINS) --build-constraint $(PINS) --editable '.[test]'
	@touch $@

# By uv: pip tries for half an hour what goes with the lowest versions.
.venv-lowest/installed: pyproject.toml tests/pins.py
	$(check_python)
	$(PYTHON) -m venv --clear .venv-lowest
	.venv-lowest/bin/python -m tests.pins lowest > .venv-lowest/lowest.txt
	.venv-lowest/bin/python $(PIP) --upgrade uv
	.venv-lowest/bin/python -m uv pip install --quiet --python .venv-lowest/bin/python \
		--constraint .venv-lowest/lowest.txt --build-constraint .venv-lowest/lowest.txt --editable '.[test]'
	@touch $@

demo: install  ## train on the built-in digits, evaluate, predict one image
	$(BIN)/cnnctl train configs/digits.yaml
	$(BIN)/cnnctl evaluate
	@$(BIN)/python -c 'import shutil; from cnnctl.data.sources import digits_folder; \
		shutil.copy(digits_folder() / "7" / "0007.png", "runs/digit.png")'
	$(BIN)/cnnctl predict runs/digit.png
	@echo
	@echo "the run is in $(RUN)"

# The tests of pages want Debian's Chromium; where it cannot be installed, they are skipped and say so.
browser:  ## install Chromium for the tests of pages, where apt-get and root can
	@command -v chromedriver > /dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && \
		timeout 240 sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends chromium chromium-driver' > /dev/null 2>&1; } || \
		echo "no Chromium: the tests in a browser are skipped"

test: install browser  ## lint, types and tests: everything CI runs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python $(PYTEST)

# Old packages call what newer ones, which they were never tested with, have deprecated.
test-lowest: .venv-lowest/installed browser  ## the tests with every direct dependency at its lower bound, in .venv-lowest
	.venv-lowest/bin/python $(PYTEST) -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning \
		-W ignore::FutureWarning

test-newest: browser  ## the tests with today's newest packages, without pins, in .venv-newest
	$(check_python)
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python $(PIP) --upgrade pip
	$(QUIETLY) .venv-newest/bin/python $(PIP) --upgrade --upgrade-strategy eager --editable '.[test]'
	.venv-newest/bin/python $(PYTEST)

pins:  ## write today's newest versions to tests/constraints.txt, for every Python and platform
	$(check_python)
	$(PYTHON) -m venv .venv-pins
	.venv-pins/bin/python $(PIP) --upgrade uv
	.venv-pins/bin/python -m tests.pins write

configs: install  ## copy the ready configs from the package to configs/, and write configs/schema.json
	cp cnnctl/init/configs/*.yaml configs/
	$(BIN)/cnnctl schema > configs/schema.json

graphs: install  ## write the graphs of the backbones from keras.applications
	$(BIN)/python -m tests.graphs

torture: install  ## kill trainings and fill disks (WHAT=, KILLS=, EVERY=, NETWORK=, TRIALS=)
	$(BIN)/python -m tests.torture $(WHAT)

fuzz: install  ## mistreated configs, folders, images, models, tables, weights and names (WHAT=, MINUTES=)
	$(BIN)/python -m tests.fuzz $(WHAT)

export KILLS EVERY NETWORK TRIALS MINUTES CIFAR10 CATS_DOGS MNIST TORCH CLEANLAB RUNS ROUNDS

bench: install  ## measure (WHAT=: see benchmarks/BENCHMARKS.md)
	$(BIN)/python -m benchmarks $(WHAT)

clean:  ## remove environments and what was built
	rm -rf .venv .venv-lowest .venv-newest .venv-pins build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
