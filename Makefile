PYTHON ?= python3
OLDEST_PYTHON ?= 3.10
NEWEST_PYTHON ?= 3.13
VENV := .venv
BIN := $(VENV)/bin
export OMP_WAIT_POLICY = passive
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: lab test unit nightly notebooks-test browser lint notebooks pictures gallery docs oldest newest wheel-test clean

lab: $(VENV)/ready  ## open the tour in JupyterLab
	$(BIN)/python -m cnnwidgets

test: lint unit notebooks-test browser  ## everything that CI runs

lint: $(VENV)/ready node_modules/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	node_modules/.bin/biome lint --error-on-warnings
	node_modules/.bin/tsc

unit: export OMP_NUM_THREADS = 1
unit: $(VENV)/ready
	node --test tests/js/*.test.js
	$(BIN)/python -m pytest -n 2 -m "not nightly" tests --ignore=tests/browser

nightly: export OMP_NUM_THREADS = 1
nightly: $(VENV)/ready  ## the long sweeps: every torchvision model, one of each of timm's families, 1,200 random networks, fifty runs of a cell
	$(BIN)/python -m pytest -n 2 -m nightly tests --ignore=tests/browser

notebooks-test: export OMP_NUM_THREADS = 1
notebooks-test: $(VENV)/ready
	$(BIN)/python -m pytest -n 2 --dist loadscope --nbval --nbval-sanitize-with notebooks/sanitize.cfg notebooks

browser: $(VENV)/ready
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/browser

notebooks: $(VENV)/ready  ## write the index of the notebooks, and execute them all again, without widget state
	$(BIN)/python -m docs.index
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.store_widget_state=False \
		$$(find notebooks -name '*.ipynb' -not -path '*/.*')

pictures: $(VENV)/ready  ## take the pictures of the documentation again
	$(BIN)/python -m docs.pictures

gallery: $(VENV)/ready  ## build/gallery/index.html: a living panel behind each card
	$(BIN)/python -m docs.gallery

docs: export NO_MKDOCS_2_WARNING = 1
docs: $(VENV)/ready  ## build/site/index.html: the guides and the reference
	$(BIN)/python -m mkdocs build --strict

$(VENV)/ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

node_modules/ready: package.json package-lock.json $(VENV)/ready  ## what checks the JavaScript; node itself comes with pip
	npm ci --no-audit --no-fund --silent
	touch $@

clean:
	rm -rf $(VENV) node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Both make an environment of their own under build/, from the versions in pyproject.toml, and leave the browser out.
UV := build/tools/bin/uv
SUITE = -m pytest -n 2 -m "not nightly and not sweep" tests --ignore=tests/browser

oldest: export OMP_NUM_THREADS = 1
oldest: $(UV)  ## the suite on the oldest Python and the lowest versions that are promised
	$(UV) venv --clear --python $(OLDEST_PYTHON) build/oldest
	$(UV) pip install --python build/oldest --resolution lowest-direct --editable '.[test]'
	build/oldest/bin/python $(SUITE)

newest: export OMP_NUM_THREADS = 1
newest: $(UV)  ## the suite on the newest versions, pre-releases too
	$(UV) venv --clear --python $(NEWEST_PYTHON) build/newest
	$(UV) pip install --python build/newest --prerelease allow --editable '.[test]'
	build/newest/bin/python $(SUITE)

wheel-test: $(UV)  ## the wheel alone, in an empty environment outside of the checkout
	rm -rf build/wheel
	$(UV) build --quiet --wheel --out-dir build/wheel
	$(UV) venv --clear --python $(PYTHON) build/wheel/empty
	$(UV) pip install --python build/wheel/empty "$$(echo build/wheel/*.whl)[lab]"
	build/wheel/empty/bin/python tests/wheel.py

$(UV):
	$(PYTHON) -m venv build/tools
	build/tools/bin/pip install --quiet uv
