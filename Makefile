# `make quickstart` goes from a fresh clone to a chart; `make test` to a passed test suite.
# Both do the same set-up first. After it, plain cargo works as well.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup libtorch quickstart test lint bench clean

help: ## Says what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

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

clean: ## Removes what was built; keeps libtorch, data sets and results
	cargo clean
