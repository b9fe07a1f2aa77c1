#!/usr/bin/env bash
# clippy on what only the wasm build and its tests compile.
. "$(dirname "$0")/common.sh"
. "$root/scripts/env.sh"
cd "$root"

clippy=(cargo clippy)
if [ -d "$wasm_rust" ]; then
  clippy=(env SYSROOT="$wasm_rust" /usr/bin/cargo-clippy clippy)
fi
"${clippy[@]}" --locked --target $wasm_target --lib --tests -- -D warnings
