# make demo: install, train on the built-in digits, evaluate, predict.   make test: everything CI runs.
PYTHON ?= python3
BIN := .venv/bin
RUN = $$(readlink -f runs/latest)

.PHONY: demo test browser install bench torture fuzz clean

install: .venv/installed

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "cnnctl needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

demo: install
	$(BIN)/cnnctl train configs/digits.yaml
	$(BIN)/cnnctl evaluate
	@$(BIN)/python -c 'import shutil; from cnnctl.data.builtin import digits_folder; \
		shutil.copy(digits_folder() / "7" / "0007.png", "runs/digit.png")'
	$(BIN)/cnnctl predict runs/digit.png
	@echo
	@echo "the run is in $(RUN)"

# The tests of pages want Debian's Chromium; where it cannot be installed, they are skipped and say so.
browser:
	@command -v chromedriver > /dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && \
		timeout 240 sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends chromium chromium-driver' > /dev/null 2>&1; } || \
		echo "no Chromium: the tests in a browser are skipped"

test: install browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

torture: install
	$(BIN)/python -m tests.torture $(WHAT)

fuzz: install
	$(BIN)/python -m tests.fuzz $(WHAT)

export KILLS MINUTES CIFAR10 CATS_DOGS TORCH RUNS ROUNDS

bench: install
	$(BIN)/python -m benchmarks $(WHAT)

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
