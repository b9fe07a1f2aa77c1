#!/usr/bin/env bash
# Makes sure of wasm-bindgen's command-line half, in exactly the version Cargo.lock has.
. "$(dirname "$0")/common.sh"

version=$(locked_version wasm-bindgen)
matches() { [ "$("$1" --version 2>/dev/null)" = "wasm-bindgen $version" ]; }

if matches "$tools/bin/wasm-bindgen"; then exit 0; fi
# One of ours that has become the wrong one would hide the user's.
rm -f "$tools"/bin/wasm-bindgen*
if matches wasm-bindgen && command -v wasm-bindgen-test-runner >/dev/null; then exit 0; fi
cargo_tool wasm-bindgen-cli "$version" 1
