# The bindings: each target sets up what it needs and runs its tests.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# For tests only: the package itself needs none of them.
PY_TEST_DEPENDENCIES := maturin pytest numpy pandas polars pyarrow duckdb mypy nbclient ipykernel

.PHONY: py node check-types

py: $(VENV)/ready
	cd cdp-py && VIRTUAL_ENV=$(abspath $(VENV)) $(abspath $(VENV))/bin/maturin develop
	cd cdp-py && $(abspath $(PY)) -m pytest

node: cdp-node/node_modules
	cd cdp-node && npm test

check-types: $(VENV)/ready cdp-node/node_modules
	cd cdp-py && $(abspath $(PY)) -m mypy && $(abspath $(PY)) -m mypy.stubtest cdp._native
	cd cdp-node && npm run check-types

$(VENV)/ready:
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet $(PY_TEST_DEPENDENCIES)
	touch $@

cdp-node/node_modules: cdp-node/package-lock.json
	cd cdp-node && npm ci --no-audit --no-fund
	touch $@
