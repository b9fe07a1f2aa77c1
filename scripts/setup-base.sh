#!/usr/bin/env bash
# Looks for what has to be here before anything else can be set up: Rust, a C compiler for
# the build scripts of crates, Node.js. Only the C compiler is ever installed.
. "$(dirname "$0")/common.sh"

need cargo "Rust $(rust_version) or newer, for example with rustup"
need rustc "Rust $(rust_version) or newer, for example with rustup"
rust=$(rustc -V | awk '{ print $2 }')
at_least "$(rust_version)" "$rust" ||
  fail "Rust here is $rust: please install $(rust_version) or newer, then run this again."

need node "Node.js 20.19 or newer"
need npm "npm, which comes with Node.js"
node=$(node -p process.versions.node)
at_least 20.19 "$node" || fail "Node.js here is $node: please install 20.19 or newer, then run this again."

if ! command -v cc >/dev/null; then
  may_apt || fail "There is no C compiler (cc) here: please install gcc, then run this again."
  apt_install gcc libc6-dev
fi
