# What people and CI run. Every target works from a fresh clone.
#
#   make demo    build everything, start the example platform, print the URLs to try
#   make test    build what the tests need and run all of them
#   make swap-test   that swapped-out memory of one guest is not shown to another; make test runs it where it may
#   make browser-test   the tests in a real browser; installs Chromium where it is missing
#   make proxy-test   the tests behind nginx and Caddy; installs them where they are missing
#   make acme-test    the tests with an authority of certificates, Pebble; installs it where it is missing
#   make workerd-test   that the answers which are kept of workerd are its own; installs it from npm below target/
#   make sdk-client-test   the official SDKs for Python and TypeScript, and wrangler; installs them below target/
#   make schema-test   calls that Schemathesis makes up from /openapi.json; installs it below target/
#   make bundle-test  applications of packages from npm, beside workerd; installs them below target/
#   make engines  the engine of JavaScript workers; needs npm, and python3 with pip for the C compiler
#   make lint    formatting, clippy, documentation, licences
#   make dist    the binary for production, target/shipped/wasmyard, guided by a profile (half an hour on two processors)
#   make bench   figures, as ratios against peers on the same machine (15 minutes; make bench-quick: 2)
#   make soak    good and hostile visitors for ten minutes (SOAK_SECONDS=3600: an hour); make test has 20 seconds
#   make bench-peers   get what they are measured beside
#   make fuzz    every fuzz target for a minute (FUZZ_SECONDS=600: ten); the first time all of it is compiled for that, 8 GB

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help engines demo test swap-test browser-test proxy-test acme-test workerd-test sdk-client-test schema-test bundle-test guests lint dist bench bench-quick bench-peers soak fuzz clean

help:
	@sed -n 's/^#   //p' Makefile

guests:
	@scripts/build-guests.sh

# The engine of JavaScript workers, which builds of the server take into them.
engines:
	@scripts/js-engine.sh >/dev/null

demo: guests engines
	cargo build --package wasmyard-cli
	target/debug/wasmyard dev examples/quickstart

# nextest where it is installed, cargo's own runner otherwise: the same tests.
test: guests engines
	@if cargo nextest --version >/dev/null 2>&1; then \
	  echo "cargo nextest run --workspace" && cargo nextest run --workspace; \
	else \
	  echo "cargo test --workspace --lib --bins --tests -- --skip data::assets_serve::browser --skip data::proxies::real --skip data::acme --skip data::javascript::web::workerd" && cargo test --workspace --lib --bins --tests -- --skip data::assets_serve::browser --skip data::proxies::real --skip data::acme --skip data::javascript::web::workerd; \
	fi
	cargo test --workspace --doc
	cargo test --manifest-path sdk/rust/Cargo.toml --workspace --all-features
	cargo test --manifest-path examples/Cargo.toml
	scripts/swap-test.sh
	@echo "not run: the tests in a real browser (make browser-test), behind real proxies (make proxy-test), with an authority of certificates (make acme-test), beside workerd (make workerd-test) by the official SDKs and wrangler (make sdk-client-test), with made-up calls (make schema-test) and with applications from npm (make bundle-test)"

swap-test:
	scripts/swap-test.sh --must

sdk-client-test: guests engines
	scripts/sdk-tests.sh

schema-test: guests engines
	scripts/schema-tests.sh

bundle-test: engines
	scripts/bundle-tests.sh

browser-test: guests engines
	scripts/browser-tests.sh

proxy-test: guests engines
	scripts/proxy-tests.sh

acme-test: guests engines
	scripts/acme-tests.sh

workerd-test: guests engines
	scripts/workerd-tests.sh

lint:
	scripts/lint.sh

dist: guests engines
	scripts/dist.sh

bench: guests engines
	benches/run.sh

bench-quick: guests engines
	benches/run.sh --quick

SOAK_SECONDS ?= 600
soak: guests engines
	cargo build --package wasmyard-cli --package wasmyard-benches --bins
	target/debug/soak --seconds $(SOAK_SECONDS)

FUZZ_SECONDS ?= 60
fuzz:
	@for target in fuzz/fuzz_targets/*.rs; do scripts/fuzz.sh "$$(basename $$target .rs)" $(FUZZ_SECONDS) || exit 1; done

bench-peers:
	benches/peers.sh

clean:
	cargo clean
	cargo clean --manifest-path examples/Cargo.toml
	cargo clean --manifest-path sdk/rust/Cargo.toml
