# The environment in which the wasm side is built: sourced by the scripts, and by
# whoever wants to call cargo or wasm-pack by hand (`. scripts/env.sh`).
# It only points at what scripts/setup-*.sh have put there; it installs nothing.
_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# A wasm-bindgen of the user's own on PATH wins over ours only if ours was never needed.
export PATH=$_root/.cache/tools/bin:$_root/node_modules/.bin:$PATH

# wasm-pack asks the `rustc` on PATH, cargo asks $RUSTC: both must hear of the same one.
if [ -x "$_root/.cache/rust-wasm/bin/rustc" ]; then
  export RUSTC=$_root/.cache/rust-wasm/bin/rustc PATH=$_root/.cache/rust-wasm/bin:$PATH
fi
unset _root
