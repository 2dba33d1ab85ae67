# Everything a contributor needs. `make help` lists the targets.
SHELL := /bin/bash
export CARGO_TERM_COLOR ?= never

.PHONY: help test demo bench bench-abe timing fuzz crash fmt lint doc tools

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

test: ## Format, lints, licences, and every test; ends with the runners' summaries.
	@tests/run

demo: ## The main job: guard FHIR records and show who may read them (DATA=folder or archive).
	cargo run --release -- demo $(if $(DATA),--data $(DATA))

bench: ## Benchmarks against bare libraries and, where it can be installed, OpenBao.
	@benches/run

bench-abe: ## Attribute-based encryption beside rabe, circl and the bare operations of blst.
	@benches/abe/run

timing: ## Look for branches and addresses that depend on a secret exponent (needs valgrind).
	@benches/abe/timing/run

fuzz: ## Fuzz every parser of attribute-based encryption (SECONDS_=n, ten minutes unless set).
	@fuzz/run $${SECONDS_:-600}

crash: ## Kill the server at random moments of a mixed load, 200 times (CYCLES=n).
	@WARDKEEP_CRASH_CYCLES=$${CYCLES:-200} tests/run crash

fmt: ## Format the code.
	cargo fmt --all

lint: ## Clippy, warnings as errors.
	cargo clippy --workspace --all-targets --locked -- -D warnings

doc: ## API documentation, as users of the crates see it.
	cargo doc --workspace --no-deps --locked
