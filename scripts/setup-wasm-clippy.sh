#!/usr/bin/env bash
# Makes sure of clippy for the wasm side where that has a toolchain of its own: clippy only
# understands the std of its own compiler.
. "$(dirname "$0")/common.sh"

[ -d "$wasm_rust" ] || exit 0
if [ -x /usr/bin/clippy-driver ]; then exit 0; fi
may_apt || fail "clippy for the system's rustc is missing: please install rust-web-clippy, then run this again."
apt_install rust-web-clippy
