#!/usr/bin/env bash
# Makes sure of wasm-pack, which runs the wasm tests. Any version does: it is told to fetch nothing.
. "$(dirname "$0")/common.sh"

PATH=$tools/bin:$PATH
if command -v wasm-pack >/dev/null; then exit 0; fi
cargo_tool wasm-pack 0.15.1 0
