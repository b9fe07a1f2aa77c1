# What every set-up script shares: where things are, how to speak, how to ask apt and cargo.
# It is sourced, never run, and installs nothing by itself.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$root/.cache
tools=$cache/tools         # cargo install --root: wasm-bindgen, wasm-pack
wasm_rust=$cache/rust-wasm # a toolchain with the wasm32 target, where the default one lacks it
wasm_target=wasm32-unknown-unknown
mkdir -p "$cache"

# Whoever has sourced env.sh must not have our own toolchain taken for the default one.
PATH=${PATH//"$wasm_rust/bin:"/}
if [ "${RUSTC:-}" = "$wasm_rust/bin/rustc" ]; then unset RUSTC RUSTDOC; fi

say() { printf '• %s\n' "$*" >&2; }

fail() {
  printf '✗ %s\n' "$*" >&2
  exit 1
}

# need COMMAND "what to install"
need() { command -v "$1" >/dev/null || fail "$1 is missing: please install $2, then run this again."; }

# at_least 1.95 1.96.0
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# locked_version CRATE: Cargo.lock is the only place that says it.
locked_version() {
  awk -v name="\"$1\"" '
    $1 == "name" { hit = $3 == name }
    $1 == "version" && hit { gsub(/"/, "", $3); print $3; exit }' "$root/Cargo.lock"
}

rust_version() { awk -F'"' '/^rust-version/ { print $2 }' "$root/Cargo.toml"; }

# Can this machine install Debian packages without asking anybody?
may_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -qq "$@" </dev/null; }

apt_refresh() {
  say "refreshing apt's package lists"
  apt_get update >"$cache/apt.log" 2>&1 || fail "apt-get update failed; $cache/apt.log says why."
}

# apt_offers PACKAGE [AT_LEAST]
apt_offers() {
  local version
  version=$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: //p')
  [[ $version == [0-9]* ]] && at_least "${2:-0}" "$version"
}

# A bare container has no package lists, an old one has lists that are out of date.
apt_install() {
  local package
  for package; do
    apt_offers "$package" || { apt_refresh && break; }
  done
  say "installing from Debian: $*"
  apt_get install -y --no-install-recommends "$@" >"$cache/apt.log" 2>&1 && return
  apt_refresh
  apt_get install -y --no-install-recommends "$@" >"$cache/apt.log" 2>&1 ||
    fail "apt-get install $* failed; $cache/apt.log says why."
}

# cargo_tool CRATE VERSION OPT_LEVEL
# These tools run for seconds, and fully optimised would compile for ten minutes.
cargo_tool() {
  local crate=$1 version=$2 opt_level=$3
  say "building $crate $version into .cache/tools (some minutes, once)"
  CARGO_PROFILE_RELEASE_OPT_LEVEL=$opt_level CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR=$cache/tools-target \
    cargo install --quiet --force "$crate" --version "=$version" --root "$tools" \
    --no-default-features >"$cache/$crate.log" 2>&1 ||
    fail "$crate could not be built ($cache/$crate.log says why): please install $crate $version yourself and have it on PATH."
  rm -rf "$cache/tools-target"
}
