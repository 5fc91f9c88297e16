# Each target is a thin line over the `darkmatter` command. Knobs: DATA=path or URL, JOBS=n, DASK=address,
# CNN=off|auto|on, SUBSET=per cent of the training skies to learn from (not of `full`, which takes all);
# TRAINING=n and VALIDATION=n, numbers of skies of `survey-demo`.

PYTHON ?= python3
DATA ?= data
JOBS ?= -1
DASK ?=
CNN ?= auto
SUBSET ?=
TRAINING ?= 200
VALIDATION ?= 60
FEATURES := features
RUN := runs/default
SURVEY := survey-demo
BIN := .venv/bin
READY := .venv/.ready
DARKMATTER := $(BIN)/darkmatter

.PHONY: setup data features train report heatmaps fast full survey-demo test coverage lint docs bench licences sbom \
	release-check clean
.DEFAULT_GOAL := train

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[sim,survey,dask,hdf5,bench,tune,cnn,remote,docs,dev]'
	touch $@

# Only the default data set is simulated; one that was named must be there.
ifeq ($(DATA),data)
data: data/truth/skies.csv
data/truth/skies.csv: | $(READY)
	$(DARKMATTER) simulate data --jobs $(JOBS)
else
data: $(READY)
endif

features: data
	$(DARKMATTER) features "$(DATA)" --out $(FEATURES) --jobs $(JOBS) $(if $(DASK),--dask $(DASK))

train: features
	$(DARKMATTER) train $(FEATURES) --out $(RUN) --cnn $(CNN) $(if $(SUBSET),--subset $(SUBSET))

report: $(READY)
	test -d $(RUN)/model || $(MAKE) train
	$(DARKMATTER) report $(RUN) --jobs $(JOBS)

fast: features
	$(DARKMATTER) train $(FEATURES) --out runs/fast --fast $(if $(SUBSET),--subset $(SUBSET))

full: features
	$(DARKMATTER) train $(FEATURES) --out $(RUN) --subset 100 --cnn $(CNN)
	$(MAKE) heatmaps

heatmaps: $(READY)
	test -d $(RUN)/model || $(MAKE) train
	$(DARKMATTER) heatmap --run $(RUN) --examples 12 --jobs $(JOBS)

# Images with noise, like those of a survey: a small data set, its features, a run and some heatmaps.
survey-demo: $(SURVEY)/data/truth/skies.csv
	$(DARKMATTER) features $(SURVEY)/data --out $(SURVEY)/features --jobs $(JOBS)
	$(DARKMATTER) train $(SURVEY)/features --out $(SURVEY)/run
	$(DARKMATTER) heatmap --run $(SURVEY)/run --examples 6 --jobs $(JOBS)

$(SURVEY)/data/truth/skies.csv: | $(READY)
	$(DARKMATTER) simulate $(SURVEY)/data --preset survey --training $(TRAINING) --validation $(VALIDATION) --jobs $(JOBS)

test: $(READY)
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

# Lines that the tests reach; bench_mutations.py counts those of the kernels, which are compiled here.
coverage: $(READY)
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --cov --cov-report=term

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: $(READY)
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

licences: $(READY)
	$(BIN)/python .ci/dependencies.py licences

sbom: $(READY)
	$(BIN)/python .ci/dependencies.py sbom > sbom.json

# Builds sdist and wheel into dist/, and uses the wheel in an empty environment; of the last commit.
release-check:
	PYTHON=$(PYTHON) .ci/release-check

clean:
	rm -rf data features runs $(SURVEY) build dist sbom.json .coverage .hypothesis docs/_build docs/generated *.egg-info .mypy_cache .pytest_cache .ruff_cache
