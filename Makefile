# The repository's commands. Each sets up what it needs and is missing, and does nothing twice;
# docs/building.md says what that is and where it goes. How a step works is in scripts/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
# The steps share cargo's and apt's locks, and two cores are soon taken.
.NOTPARALLEL:
.DEFAULT_GOAL := build

WASM := build/wasm/tracer/core_bg.wasm
PKG := build/pkg.sums
in_pkg = cd pkg && find . -type f | LC_ALL=C sort | xargs cksum

# Somebody else may write to pkg/ (wasm-pack build does): then it is built anew.
ifneq ($(wildcard $(PKG)),)
$(shell ($(in_pkg)) 2>/dev/null | cmp -s - $(PKG) || rm -f $(PKG))
endif

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.* ## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.* ## /\1\t/' | expand -t 14

# ---- what people call -----------------------------------------------------------------

.PHONY: build demo test test-core test-wasm test-js test-frameworks lint fmt docs simulation fuzz bench bench-core bench-peers bench-growth bench-latency bench-spans size memory unclosed clean distclean
build: $(PKG) ## pkg/, exactly what `npm publish` would send

demo: build www-demo/node_modules/.package-lock.json ## The chat demo; ONCE=1 leaves after the first conversation
	@exec node www-demo/demo.mjs

test: ## Everything that is checked: lint, core, wasm, js
	@scripts/test.sh lint core wasm js

test-core: ## The core, on this machine
	@scripts/test.sh core

test-wasm: ## The wasm surface, in Node and in Chromium
	@scripts/test.sh wasm

test-js: ## The demo's parts and the built package in every runtime
	@scripts/test.sh js

test-frameworks: ## Frameworks whose packages are large or whose builds are slow, in workerd and Chromium
	@scripts/test.sh frameworks

lint: ## Formatting, lints and types of both languages
	@scripts/test.sh lint

fmt: node_modules/.package-lock.json ## Format everything
	cargo fmt --all
	npm run --silent format

simulation: setup-base build tests/node_modules/.package-lock.json ## A million simulated lives of the core, a hundred thousand of the queue's consumer and ten thousand programs of the package; SIMULATION_SEEDS=1000 QUEUE_SEEDS=1000 FACE_SEEDS=100 for less
	SIMULATION_FROM=$(or $(SIMULATION_FROM),0) SIMULATION_SEEDS=$(or $(SIMULATION_SEEDS),1000000) cargo test --locked --profile thorough --test simulation -- --nocapture
	QUEUE_SEEDS=$(or $(QUEUE_SEEDS),100000) cargo test --locked --profile thorough --test relay lives -- --nocapture
	@cd tests && FACE_SEEDS=$(or $(FACE_SEEDS),10000) node --test face-simulation/*.test.mjs

fuzz: setup-base tests/node_modules/.package-lock.json ## Each parser fuzzed for five minutes; FUZZ_SECONDS=5 for less
	@scripts/fuzz.sh $(or $(FUZZ_SECONDS),300)
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),300) node --test tests/face/headers.fuzz.test.mjs

bench: bench-core bench-peers build www-demo/node_modules/.package-lock.json ## The package beside its peers; PEERS, RUNTIMES, JOBS for a part: benches/README.md
	@node benches/requests.mjs
	@node benches/startup.mjs
	@node benches/relay.mjs

bench-core: setup-base ## The core's steps by themselves: time, and instructions against those of last time
	@scripts/setup-valgrind.sh
	cargo bench --locked --package honeyhive-edge-benches --bench time
	cargo bench --locked --package honeyhive-edge-benches --bench hostile
	@node benches/core/instructions.mjs

size: $(PKG) ## What each part of the WebAssembly takes
	@node scripts/size.mjs

bench-latency: build setup-test-js benches/peers/node_modules/.package-lock.json ## Beside its peers at a backend's latency, some ten minutes; PEERS, RUNTIMES, RATES, DELAYS for a part
	@node benches/latency.mjs

bench-spans: build setup-test-js benches/peers/node_modules/.package-lock.json ## The exporter of spans beside OpenTelemetry's, some twenty minutes; LOADS, DELAYS, PROCESSORS, SECONDS, RUNS for a part
	@node benches/spans.mjs

bench-peers: build setup-test-js benches/peers/node_modules/.package-lock.json
	@node benches/peers/compare.mjs

docs: setup-base docs/reference/node_modules/.package-lock.json ## The reference: of the package in docs/reference/ and build/reference/, of the core in target/doc/; no warning passes
	@cd docs/reference && npm run --silent build
	@node scripts/reference-pages.mjs
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet

memory: build ## What a million sessions leave in memory, and what open ones cost; SESSIONS=50000 for less
	@node benches/memory.mjs

bench-growth: build ## What a call costs with few others around and with many; FEW=1000 MANY=40000
	@node benches/growth.mjs

unclosed: build setup-test-js ## What 100,000 requests leave that close nothing, in workerd and Node; REQUESTS=10000 for less
	@node benches/unclosed.mjs

clean: ## Remove what was built, keep what was set up
	rm -rf build pkg target

distclean: clean ## Remove what was set up as well
	rm -rf .cache node_modules www-demo/node_modules tests/node_modules tests/frameworks/*/node_modules docs/reference/node_modules benches/peers/node_modules

# ---- set-up: each step looks first, and is over in a moment when there is nothing to do --

.PHONY: setup-base setup-wasm setup-lint setup-test-wasm setup-test-js setup-test-frameworks
setup-base:
	@scripts/setup-base.sh

setup-wasm: setup-base
	@scripts/setup-wasm-target.sh
	@scripts/setup-wasm-bindgen.sh

setup-lint: setup-wasm node_modules/.package-lock.json www-demo/node_modules/.package-lock.json tests/node_modules/.package-lock.json
	@scripts/setup-wasm-clippy.sh

setup-test-wasm: setup-wasm node_modules/.package-lock.json
	@scripts/setup-wasm-pack.sh
	@scripts/setup-browsers.sh

setup-test-js: www-demo/node_modules/.package-lock.json tests/node_modules/.package-lock.json \
		tests/frameworks/runners/node_modules/.package-lock.json tests/frameworks/vitest3/node_modules/.package-lock.json \
		tests/frameworks/nitro/node_modules/.package-lock.json
	@scripts/setup-browsers.sh

# Those that have a test in their own folder are left out of `make test`.
SLOW_FRAMEWORKS := $(dir $(wildcard tests/frameworks/*/*.test.mjs))

setup-test-frameworks: setup-test-js $(addsuffix node_modules/.package-lock.json,$(SLOW_FRAMEWORKS))

# npm writes this file last, so it is there when the whole of node_modules is.
node_modules/.package-lock.json: package.json package-lock.json | setup-base
	@scripts/setup-npm.sh .

www-demo/node_modules/.package-lock.json: www-demo/package.json www-demo/package-lock.json | setup-base
	@scripts/setup-npm.sh www-demo

tests/node_modules/.package-lock.json: tests/package.json tests/package-lock.json | setup-base
	@scripts/setup-npm.sh tests

tests/frameworks/%/node_modules/.package-lock.json: tests/frameworks/%/package.json tests/frameworks/%/package-lock.json | setup-base
	@scripts/setup-npm.sh tests/frameworks/$*

docs/reference/node_modules/.package-lock.json: docs/reference/package.json docs/reference/package-lock.json | setup-base
	@scripts/setup-npm.sh docs/reference

benches/peers/node_modules/.package-lock.json: benches/peers/package.json benches/peers/package-lock.json | setup-base
	@scripts/setup-npm.sh benches/peers

# ---- the build ------------------------------------------------------------------------

$(WASM): Cargo.toml Cargo.lock package-lock.json scripts/build-wasm.sh $(shell find src -type f) \
		| setup-wasm node_modules/.package-lock.json
	@scripts/build-wasm.sh

$(PKG): $(WASM) LICENSE package-lock.json $(shell find pkg-template -type f) $(wildcard scripts/*.mjs) \
		| node_modules/.package-lock.json
	@echo "• putting the npm package together in pkg/" >&2
	@node scripts/build-pkg.mjs
	@($(in_pkg)) >$@
