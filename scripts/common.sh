# What every set-up script shares: where things are, how to speak, how to ask apt.
# It is sourced, never run, and does no work of its own.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$root/.cache
tools=$cache/tools         # cargo install --root: wasm-bindgen, wasm-pack
wasm_rust=$cache/rust-wasm # a toolchain with the wasm32 target, where the default one lacks it
wasm_target=wasm32-unknown-unknown
wasm_std=lib/rustlib/$wasm_target/lib

say() { printf '• %s\n' "$*" >&2; }

fail() {
  printf '✗ %s\n' "$*" >&2
  exit 1
}

# need COMMAND WHERE_FROM
need() {
  command -v "$1" >/dev/null || fail "$1 is missing: please install $2, then run this again."
}

# The one place that says a dependency's version is Cargo.lock.
locked_version() {
  awk -v name="\"$1\"" '$1 == "name" { hit = $3 == name } $1 == "version" && hit { gsub(/"/, "", $3); print $3; exit }' "$root/Cargo.lock"
}

# Can this machine install Debian packages without asking anybody?
may_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# What apt could install right now, refreshed once a run when the answer is no.
apt_offers() {
  local candidate
  candidate=$(apt-cache policy "$1" 2>/dev/null | awk '/Candidate:/ { print $2 }')
  [ -n "$candidate" ] && [ "$candidate" != "(none)" ]
}

apt_refresh() {
  say "refreshing apt's package lists"
  apt-get -o DPkg::Lock::Timeout=600 -qq update >&2 || fail "apt-get update failed (its words are above)."
}

apt_install() {
  say "installing from Debian: $*"
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -qq install -y \
    --no-install-recommends "$@" </dev/null >"$cache/apt.log" 2>&1 ||
    fail "apt-get install $* failed; $cache/apt.log says why."
}

# cargo_tool CRATE VERSION [cargo flags]: installs a command-line tool into $tools.
# These tools run for seconds and would compile for ten minutes at full optimisation.
cargo_tool() {
  local crate=$1 version=$2
  shift 2
  say "building $crate $version into .cache/tools (a few minutes, once)"
  mkdir -p "$cache"
  CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=false \
    CARGO_TARGET_DIR=$cache/tools-target \
    cargo install --quiet "$crate" --version "=$version" --root "$tools" "$@" >&2 ||
    fail "$crate could not be built: please run 'cargo install $crate --version $version' yourself and have it on PATH."
  rm -rf "$cache/tools-target"
}
