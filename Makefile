# Everything a contributor does, by name: `make help`. Each target sets up what it needs; a second run of it
# finds everything in place and does no set-up work.

# Results go here; `make clean` removes only the default.
OUT ?= out
# The model bundle that looks at photos.
BUNDLE ?= bundles/demo
# Your own photos, for demo and evaluate.
PHOTOS ?=
# For simulate: how many worlds, or the seed of one.
SEEDS ?= 10000
SEED ?=
# For evaluate: undamaged photos (a folder `undamaged` beside PHOTOS is taken by itself when PHOTOS ends in
# `damaged`), and flags such as --map THEIRS=OURS. By default what the public set that the demonstration bundle is
# measured on calls its classes; names that a set does not have do no harm.
UNDAMAGED ?= $(wildcard $(patsubst %/damaged,%/undamaged,$(filter %/damaged,$(PHOTOS:/=))))
EVALUATE_FLAGS ?= $(if $(filter bundles/demo,$(BUNDLE:/=)),--map-file bundles/demo/bilgi.map.toml)

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup lint test demo samples bench evaluate simulate clean build-ready tools-ready all-ready

# Where scripts/setup.sh puts the library; name your own to use another one.
export WALKAROUND_ONNXRUNTIME ?= $(abspath .tools/onnxruntime/libonnxruntime.so)
# Real photos that some tests look at in addition, where this checkout has them beside it.
ifneq ($(wildcard ../shared/data/photos),)
export WALKAROUND_PHOTOS ?= $(abspath ../shared/data/photos)
endif
export PATH := $(abspath .tools/tools/bin):$(PATH)

WALKAROUND = cargo run --release --quiet --locked --package walkaround-cli --bin walkaround --
PYTHON_FOLDERS = scripts tests/bundles training infra

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nVariables: PHOTOS=folder of your own photos, BUNDLE=%s, OUT=%s\n' '$(BUNDLE)' '$(OUT)'

setup: all-ready ## Install what the other targets need into .tools/ (each target does its own part by itself)
	@echo "setup: everything is in place"

build-ready:
	@scripts/setup.sh build

tools-ready:
	@scripts/setup.sh build tools infra

all-ready:
	@scripts/setup.sh build tools reference emulators lambda infra

lint: tools-ready ## Check format, clippy, dependencies (licences, bans, sources), Python, templates, and what is committed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
	cargo deny --locked --log-level error check licenses bans sources
	ruff check $(PYTHON_FOLDERS)
	ruff format --check $(PYTHON_FOLDERS)
	PYTHONPATH=.tools/cfn-lint python3 .tools/cfn-lint/bin/cfn-lint --regions eu-central-1 us-east-1 --template infra/*.yaml
	python3 scripts/check_tree.py

# The runner whose closing lines count the most tests comes last.
test: all-ready ## Run every test: Python, documentation examples, then the workspace
	python3 -m unittest discover --start-directory scripts/tests
	PYTHONPATH=.tools/cfn-lint python3 -m unittest discover --start-directory infra/tests
	PYTHONPATH=.tools/reference python3 -m unittest discover --start-directory training/reference
	cargo test --workspace --locked --doc --quiet
	@if cargo nextest --version >/dev/null 2>&1; then \
		echo "cargo nextest run --workspace --locked"; \
		cargo nextest run --workspace --locked; \
	else \
		echo "cargo-nextest does not run here, so: cargo test --workspace --locked --lib --bins --tests"; \
		cargo test --workspace --locked --lib --bins --tests; \
	fi

demo: build-ready ## Drawn photos through the whole pipeline, scored; or your own: make demo PHOTOS=folder
	cargo build --release --locked --package walkaround-cli --bin walkaround
	@scripts/demo.sh "$${CARGO_TARGET_DIR:-target}/release/walkaround" '$(BUNDLE)' '$(OUT)/demo' '$(PHOTOS)'

samples: build-ready ## Draw sample photos with known damage into OUT/samples
	$(WALKAROUND) samples '$(OUT)/samples' --count 12

bench: build-ready ## Measure speed: the cost of each step, and throughput beside bare ONNX Runtime
	cargo build --release --locked --package walkaround-cli --bin walkaround
	WALKAROUND_BIN="$${CARGO_TARGET_DIR:-$$PWD/target}/release/walkaround" cargo bench --locked --package walkaround-benches

evaluate: build-ready ## Score BUNDLE on a COCO polygon set: make evaluate PHOTOS=folder
	@if [ -z '$(PHOTOS)' ]; then \
		echo "evaluate: name the photos: make evaluate PHOTOS=folder [UNDAMAGED=folder] [BUNDLE=folder]" >&2; exit 2; \
	fi
	$(WALKAROUND) evaluate '$(PHOTOS)' --bundle '$(BUNDLE)' --out '$(OUT)/evaluate' \
		$(foreach folder,$(UNDAMAGED),--undamaged '$(folder)') $(EVALUATE_FLAGS)

simulate: build-ready ## Run the pipeline in simulated worlds full of faults: make simulate SEEDS=10000, or one again: SEED=7
	cargo run --release --quiet --locked --package walkaround-simulation --bin simulate -- $(if $(SEED),--seed $(SEED),$(SEEDS))

clean: ## Remove everything built or installed here: target/, .tools/, out/
	cargo clean
	rm -rf .tools out
