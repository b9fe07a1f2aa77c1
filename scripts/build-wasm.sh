#!/usr/bin/env bash
# src/ → build/wasm/core.js and core_bg.wasm: compile, generate the glue, make it small.
. "$(dirname "$0")/common.sh"
cd "$root"
cargo fetch --locked --quiet # before env.sh, which asks where the crates are
. "$root/scripts/env.sh"

target_dir=${CARGO_TARGET_DIR:-target}
compile() { cargo build --release --lib --target $wasm_target "$@"; }

# Where the source of std is at hand, std is built along: for size, and so that a panic is a trap
# without a message. It takes a quarter off. -Z asks for RUSTC_BOOTSTRAP on a stable compiler.
compile_small() {
  local rustflags=$CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS
  rustflags+=" -Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none -Zfmt-debug=none"
  RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$rustflags compile \
    -Z build-std=std,panic_abort -Z build-std-features=optimize_for_size "$@"
}

source=$("${RUSTC:-rustc}" --print sysroot)/lib/rustlib/src/rust/library/std
if [ -d "$source" ] && say "compiling the crate and std for $wasm_target" &&
  CARGO_TARGET_DIR=$target_dir/small compile_small; then
  target_dir+=/small
else
  say "compiling the crate for $wasm_target"
  compile
fi
wasm=$target_dir/$wasm_target/release/honeyhive_edge.wasm

say "generating the glue with wasm-bindgen"
rm -rf build/wasm build/wasm.new
wasm-bindgen --target web --out-name core --out-dir build/wasm.new "$wasm"

say "making it small with wasm-opt"
wasm-opt -Oz --converge --strip-debug --strip-producers --strip-target-features \
  build/wasm.new/core_bg.wasm -o build/wasm.new/core_bg.wasm
# Renamed last, so that a build broken off half-way does not look finished.
mv build/wasm.new build/wasm
say "core_bg.wasm: $(wc -c <build/wasm/core_bg.wasm) bytes, $(gzip -9c build/wasm/core_bg.wasm | wc -c) gzipped"
