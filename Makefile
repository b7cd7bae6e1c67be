# make demo: install, train on the built-in digits, evaluate, predict.   make test: everything CI runs.
PYTHON ?= python3
BIN := .venv/bin
RUN = $$(readlink -f runs/latest)

.PHONY: demo test install bench torture fuzz clean

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

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

torture: install
	$(BIN)/python -m tests.torture $(WHAT)

fuzz: install
	$(BIN)/python -m tests.fuzz $(WHAT)

export KILLS MINUTES CIFAR10 CATS_DOGS TORCH RUNS ROUNDS

bench: install
	$(BIN)/python -m benchmarks $(WHAT)

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
