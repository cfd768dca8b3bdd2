# make demo: train and validate on bundled digits. make check, make test, make test-all: what each runs stands in
# CONTRIBUTING.md. All of them make .venv first.
PYTHON ?= python3
BIN := .venv/bin
DEMO := ckpt/digits
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: demo check test test-all lint docs wheel clean

demo: .venv/installed
	$(BIN)/python train.py -c configs/shufflenetv2/digits.yaml --ckpt_save_dir $(DEMO) --overwrite
	$(BIN)/python validate.py -c configs/shufflenetv2/digits.yaml --ckpt_path $(DEMO)/shufflenet_v2_x0_5-best.ckpt
	@echo "Everything lies in $(DEMO)/; look at $(DEMO)/report.html in a browser. To try next:"
	@echo "  $(BIN)/shufflenet fit photos       a model of your photos, photos/CLASS/*.jpg"
	@echo "  $(BIN)/shufflenet export --ckpt_path $(DEMO)/shufflenet_v2_x0_5-best.ckpt --output digits.onnx"
	@echo "  $(BIN)/shufflenet selftest         does everything work on this machine?"

check: lint
	$(PYTEST) -m "not compiles and not slow"

test: .venv/installed-dev
	$(PYTEST) -m "not slow"

test-all: .venv/installed-dev
	$(PYTEST)

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/installed-dev
	$(BIN)/python docs/generate_options.py
	$(BIN)/python docs/draw_blocks.py
	$(BIN)/python docs/draw_results.py docs/results/tiny_imagenet_20

wheel: .venv/installed-dev
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

clean:
	rm -rf .venv build

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null || \
	  { echo "error: Python 3.11 or 3.12 is needed and $(PYTHON) is $$($(PYTHON) --version 2>&1 | head -n 1); give another: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "error: $(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -e .
	echo 'rmaps_default_mapping_policy = :oversubscribe' > .venv/etc/prte-mca-params.conf # mpirun -n 8 on two cores
	touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
