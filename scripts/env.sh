# The environment the wasm side is built in: sourced by the scripts, and by whoever calls
# cargo or wasm-pack by hand (`. scripts/env.sh`). It only points at what set-up has put there.
_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH=$_root/.cache/tools/bin:$_root/node_modules/.bin:$PATH

# wasm-pack asks the `rustc` on PATH, cargo asks $RUSTC: both must hear of the same one.
_rust=$_root/.cache/rust-wasm/bin
if [ -x "$_rust/rustc" ]; then
  export RUSTC=$_rust/rustc RUSTDOC=$_rust/rustdoc PATH=$_rust:$PATH
fi
CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$("$_root/scripts/remap-paths.sh")
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS
unset _root _rust
