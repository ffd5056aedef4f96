# Everything that a contributor does, by name: `make help`. Each target sets up what it needs; a second run
# finds everything in place and does no set-up work.

# Results go here; `make clean` removes only the default.
OUT ?= out
# The model bundle that inspects photos.
BUNDLE ?= bundles/demo
# Your own photos, for demo and evaluate.
PHOTOS ?=
# For images, deploy and rollback: the version and the stage. For images: cuda or cpu, and the base images.
TAG ?=
STAGE ?=
DEVICE ?=
BASE ?=
BUILD_BASE ?=
# For loop: `python3 scripts/loop.py --help` lists them.
LOOP_FLAGS ?=
# For simulate: the number of worlds, or the seed of a single one.
SEEDS ?= 10000
SEED ?=
# For evaluate: undamaged photos (by default a folder `undamaged` beside PHOTOS, if PHOTOS ends in
# `damaged`), and flags such as --map THEIRS=OURS (by default, for the demonstration bundle, the class names of the public
# set on which it is measured; names that a set does not have do no harm).
UNDAMAGED ?= $(wildcard $(patsubst %/damaged,%/undamaged,$(filter %/damaged,$(PHOTOS:/=))))
EVALUATE_FLAGS ?= $(if $(filter bundles/demo,$(BUNDLE:/=)),--map-file bundles/demo/bilgi.map.toml)

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup lint test demo loop images test-images deploy bootstrap reimport teardown rollback samples bench bench-agent gpu-check evaluate invoke simulate clean build-ready tools-ready all-ready console demo-ready

# Where scripts/setup.sh puts the library; set the variable to use another one.
export WALKAROUND_ONNXRUNTIME ?= $(abspath .tools/onnxruntime/libonnxruntime.so)
# Real photos that some tests inspect in addition, where this checkout has them beside it.
ifneq ($(wildcard ../shared/data/photos),)
export WALKAROUND_PHOTOS ?= $(abspath ../shared/data/photos)
endif
# Real exports of networks with reference answers, likewise.
ifneq ($(wildcard ../shared/lab),)
export WALKAROUND_LAB ?= $(abspath ../shared/lab)
endif
export PATH := $(abspath .tools/tools/bin):$(PATH)

WALKAROUND = cargo run --release --quiet --locked --package walkaround-cli --bin walkaround --
# Without the stack on AWS, which the demonstration never asks: half of the time to compile.
DEMO_FEATURES = --no-default-features --features heic
PYTHON_FOLDERS = benches scripts tests/bundles tests/readers training infra examples

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nVariables: PHOTOS=folder of your own photos, BUNDLE=%s, OUT=%s\n' '$(BUNDLE)' '$(OUT)'

setup: all-ready ## Install what the other targets need into .tools/ (each target does its own part automatically)
	@echo "setup: everything is in place"

build-ready:
	@scripts/setup.sh build

demo-ready:
	@scripts/setup.sh build console

tools-ready:
	@scripts/setup.sh build tools infra

all-ready:
	@scripts/setup.sh build console browser provider tools reference formats emulators lambda infra

lint: tools-ready ## Check format, clippy, dependencies (licences, bans, sources), Python, templates, and what is committed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
	cargo clippy --package walkaround-cli $(DEMO_FEATURES) --locked -- -D warnings
	cargo deny --locked --log-level error check licenses bans sources
	ruff check $(PYTHON_FOLDERS)
	ruff format --check $(PYTHON_FOLDERS)
	PYTHONPATH=.tools/cfn-lint python3 .tools/cfn-lint/bin/cfn-lint --regions eu-central-1 us-east-1 --template infra/*.yaml
	python3 scripts/check_tree.py
	scripts/lint-shell.sh

# The runner with the most tests comes last, so that its summary ends the output.
test: all-ready ## Run every test: Python, documentation examples, then the workspace
	python3 -m unittest discover --start-directory scripts/tests
	PYTHONPATH=.tools/cfn-lint python3 -m unittest discover --start-directory infra/tests
	PYTHONPATH=.tools/reference python3 -m unittest discover --start-directory training/reference
	PYTHONPATH=.tools/loop:.tools/reference python3 -m unittest discover --start-directory training/tests
	cargo test --workspace --all-features --locked --doc --quiet
	@if cargo nextest --version >/dev/null 2>&1; then \
		echo "cargo nextest run --workspace --all-features --locked"; \
		cargo nextest run --workspace --all-features --locked; \
	else \
		echo "cargo-nextest does not run here, so: cargo test --workspace --all-features --locked --lib --bins --tests"; \
		cargo test --workspace --all-features --locked --lib --bins --tests; \
	fi

console: demo-ready ## Build the browser console, which the program embeds and serves
	@test -f crates/server/console/built/index.html
	@echo "console: built; \`cargo build --release --locked --package walkaround-cli\` embeds it"

demo: demo-ready ## Run drawn photos through the whole pipeline and score them: make demo [PHOTOS=folder of your own] [OPEN=1: stay up]
	cargo build --release --locked --package walkaround-cli --bin walkaround $(DEMO_FEATURES)
	@scripts/demo.sh "$${CARGO_TARGET_DIR:-target}/release/walkaround" '$(BUNDLE)' '$(OUT)/demo' '$(PHOTOS)'

loop: build-ready ## Drawn photos, reviews, export, fine-tuning, new version, replay, shadow, canary: make loop [LOOP_FLAGS='--seconds 600']
	@scripts/setup.sh loop
	cargo build --release --locked --package walkaround-cli --bin walkaround $(DEMO_FEATURES)
	@PYTHONPATH=.tools/loop python3 scripts/loop.py "$${CARGO_TARGET_DIR:-target}/release/walkaround" '$(BUNDLE)' '$(OUT)/loop' $(LOOP_FLAGS)

images: ## Build the container images of functions and worker: make images TAG=v1.2.3 [DEVICE=cpu] [FROM_HOST=1] [BASE=image]
	@scripts/images.sh $(if $(TAG),--tag '$(TAG)') $(if $(DEVICE),--device '$(DEVICE)') \
		$(if $(BASE),--base '$(BASE)') $(if $(BUILD_BASE),--build-base '$(BUILD_BASE)') $(if $(FROM_HOST),--from-host)

test-images: build-ready ## Build both images on a Debian base made here, and run them (root on Debian; not part of test)
	@scripts/test-images.sh

# A bundle is checked before it is pushed, with the program of this checkout.
deploy: $(if $(FIRST_BUNDLE),build-ready) ## Deploy to AWS (docs/operations.md): make deploy STAGE=stage TAG=v1.2.3 [YES=1] [FIRST_BUNDLE=bundles/demo]
	@scripts/deploy.sh '$(STAGE)' '$(TAG)' $(if $(YES),--yes) $(if $(FIRST_BUNDLE),--bundle '$(FIRST_BUNDLE)') \
		$(if $(filter none,$(ALERTS)),--no-alerts)

bootstrap: ## Create what a stage needs before its first deployment, as an administrator: make bootstrap STAGE=stage [YES=1]
	@scripts/stacks.py bootstrap '$(STAGE)' $(if $(YES),--yes)

reimport: ## Re-import what a deleted stack kept (buckets, table, queues, repositories): make reimport STAGE=stage [YES=1]
	@scripts/stacks.py reimport '$(STAGE)' $(if $(YES),--yes)

teardown: ## Delete a stage's stacks, and with DATA=delete its data: make teardown STAGE=stage [DATA=delete] [BOOTSTRAP=delete] [YES=prefix]
	@scripts/stacks.py teardown '$(STAGE)' $(if $(filter delete,$(DATA)),--data) \
		$(if $(filter delete,$(BOOTSTRAP)),--bootstrap) $(if $(YES),--yes '$(YES)')

rollback: ## Roll back to a version whose images are still in the repositories: make rollback STAGE=stage TAG=v1.2.2 [YES=1]
	@scripts/deploy.sh --rollback '$(STAGE)' '$(TAG)' $(if $(YES),--yes)

samples: build-ready ## Draw sample photos with known damage into OUT/samples
	$(WALKAROUND) samples '$(OUT)/samples' --count 12

bench: build-ready ## Measure speed: the cost of each step, and throughput relative to bare ONNX Runtime
	cargo build --release --locked --package walkaround-cli --bin walkaround
	WALKAROUND_BIN="$${CARGO_TARGET_DIR:-$$PWD/target}/release/walkaround" cargo bench --locked --package walkaround-benches

bench-agent: build-ready ## Measure a Python agent of the usual shape and Walkaround in turn, against the same emulator
	@scripts/setup.sh build reference emulators agent
	cargo build --release --locked --package walkaround-triage --bin triage
	$(WALKAROUND) samples '$(OUT)/bench-agent' --count 24 --width 4000
	python3 benches/agent/run.py "$${CARGO_TARGET_DIR:-target}/release/triage" '$(OUT)/bench-agent' $(if $(WALKAROUND_PHOTOS),'$(WALKAROUND_PHOTOS)')

# Without a GPU there is nothing to build; GPU_CHECK_REHEARSE=1 tries the check itself on the processor.
gpu-check: build-ready ## Compare both bundles on the GPU with the processor, and measure the GPU; writes docs/gpu-check.md
	@if nvidia-smi >/dev/null 2>&1; then \
		scripts/setup.sh build gpu; \
		cargo build --release --locked --package walkaround-gpu-batch; \
		export WALKAROUND_ONNXRUNTIME='$(abspath .tools/onnxruntime-gpu/libonnxruntime.so)'; \
	elif [ -z "$${GPU_CHECK_REHEARSE:-}" ]; then \
		echo "gpu-check: not run: no NVIDIA GPU answers here (nvidia-smi)"; exit 0; \
	fi; \
	cargo run --release --quiet --locked --package walkaround-benches --bin gpu_check

evaluate: build-ready ## Score BUNDLE on a COCO polygon set: make evaluate PHOTOS=folder
	@if [ -z '$(PHOTOS)' ]; then \
		echo "evaluate: name the photos: make evaluate PHOTOS=folder [UNDAMAGED=folder] [BUNDLE=folder]" >&2; exit 2; \
	fi
	$(WALKAROUND) evaluate '$(PHOTOS)' --bundle '$(BUNDLE)' --out '$(OUT)/evaluate' \
		$(foreach folder,$(UNDAMAGED),--undamaged '$(folder)') $(EVALUATE_FLAGS)

invoke: build-ready ## Run the functions behind cargo lambda against an emulator, and hand them each event of events/
	@scripts/setup.sh build emulators lambda
	@scripts/invoke.sh

simulate: build-ready ## Run the pipeline in simulated worlds full of faults: make simulate SEEDS=10000, or one of them again: SEED=7
	cargo run --release --quiet --locked --package walkaround-simulation --bin simulate -- $(if $(SEED),--seed $(SEED),$(SEEDS))

clean: ## Remove everything built or installed here: target/, .tools/, out/, the console
	cargo clean
	rm -rf .tools out crates/server/console/node_modules
	git clean -fdXq crates/server/console/built
