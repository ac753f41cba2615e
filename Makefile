PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_WAIT_POLICY = passive

.PHONY: lab test unit notebooks-test browser lint notebooks pictures gallery docs clean

lab: $(VENV)/ready  ## open the tour in JupyterLab
	$(BIN)/python -m cnnwidgets

test: lint unit notebooks-test browser  ## everything that CI runs

lint: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: export OMP_NUM_THREADS = 1
unit: $(VENV)/ready
	$(BIN)/python -m pytest -n 2 -m "not nightly" tests --ignore=tests/browser

notebooks-test: export OMP_NUM_THREADS = 1
notebooks-test: $(VENV)/ready
	$(BIN)/python -m pytest -n 2 --dist loadscope --nbval --nbval-sanitize-with notebooks/sanitize.cfg notebooks

browser: $(VENV)/ready
	$(BIN)/python -m pytest tests/browser

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

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
