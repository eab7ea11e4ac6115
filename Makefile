# `make quickstart` goes from a fresh clone to a chart; `make test` to a passed test suite.
# Both do the same set-up first. After it, plain cargo works as well.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup libtorch quickstart test lint bench bench-orchestrator chaos clean

# What `make chaos` does: how many kills, drawn from which number, and where its log goes.
KILLS ?= 10000
SEED ?= 1
LOG ?=
# A disk in memory, where there is one: what is tested survives kills, not the disk's speed.
CHAOS_FOLDER ?= $(firstword $(wildcard /dev/shm /tmp))

help: ## Says what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 28

setup:
	@scripts/check-prerequisites.sh
	@scripts/libtorch.sh

libtorch: ## Puts libtorch into .libtorch, unless LIBTORCH or LIBTORCH_USE_PYTORCH names one
	@scripts/libtorch.sh

quickstart: setup ## Builds, runs the smallest sweep, draws its chart
	cargo build --release
	target/release/byol-sweep run sweeps/quickstart.toml
	target/release/byol-sweep report quickstart --out reports/quickstart
	@echo
	@echo "The charts are the PNG files in reports/quickstart; report.md there shows them with the tables"

test: setup ## Builds and runs all tests
	cargo test

lint: setup ## Formatting, clippy with and without libtorch, documentation
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo clippy --all-targets --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

bench: setup ## Times start-up, planning and training on this machine
	cargo build --release
	@scripts/bench.sh

chaos: setup ## Kills controllers and workers KILLS times (10000), drawn from SEED (1), log to LOG
	cargo build --bin byol-sweep-worker
	@# Without libtorch in the controller, which costs each start a third of a second in debug builds.
	TMPDIR=$(CHAOS_FOLDER) BYOL_SWEEP_CHAOS_WORKER=$(CURDIR)/target/debug/byol-sweep-worker \
	BYOL_SWEEP_CHAOS_KILLS=$(KILLS) BYOL_SWEEP_CHAOS_SEED=$(SEED) \
	BYOL_SWEEP_CHAOS_LOG=$(if $(LOG),$(abspath $(LOG))) \
	cargo test --no-default-features --test chaos

bench-orchestrator: ## Times the controller, its database, and other orchestrators on no-op trials
	cargo bench --no-default-features --bench orchestrator
	cargo bench --no-default-features --bench store
	@scripts/bench-peers.sh

clean: ## Removes what was built; keeps libtorch, data sets and results
	cargo clean
