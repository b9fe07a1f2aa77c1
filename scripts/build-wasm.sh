#!/usr/bin/env bash
# src/ → build/wasm/core.js and core_bg.wasm: compile, generate the glue, make it small.
. "$(dirname "$0")/common.sh"
cd "$root"
cargo fetch --locked --quiet # before env.sh, which asks where the crates are
. "$root/scripts/env.sh"

say "compiling the crate for $wasm_target"
cargo build --release --lib --target $wasm_target
wasm=${CARGO_TARGET_DIR:-target}/$wasm_target/release/honeyhive_edge.wasm

say "generating the glue with wasm-bindgen"
rm -rf build/wasm build/wasm.new
wasm-bindgen --target web --out-name core --out-dir build/wasm.new "$wasm"

say "making it small with wasm-opt"
wasm-opt -Oz --converge --strip-debug --strip-producers --strip-target-features \
  build/wasm.new/core_bg.wasm -o build/wasm.new/core_bg.wasm
# Renamed last, so that a build broken off half-way does not look finished.
mv build/wasm.new build/wasm
say "core_bg.wasm: $(wc -c <build/wasm/core_bg.wasm) bytes, $(gzip -9c build/wasm/core_bg.wasm | wc -c) gzipped"
