#!/usr/bin/env bash
# Makes sure some rustc here can compile for wasm32-unknown-unknown. In this order: it can
# already; rustup adds the target; Debian's rustc, with a std built once from Debian's source.
# The last leaves a toolchain of its own in .cache/rust-wasm and touches no system folder.
. "$(dirname "$0")/common.sh"

has_std() { compgen -G "$1/libstd-*.rlib" >/dev/null; }

# "1.95" <= "1.96.0"
new_enough() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

need cargo "Rust ($(awk -F'"' '/^rust-version/ { print $2 }' "$root/Cargo.toml") or newer, e.g. through rustup)"
need rustc "Rust"

# 1. The default toolchain has it.
if has_std "$(rustc --print target-libdir --target $wasm_target 2>/dev/null)"; then
  rm -rf "$wasm_rust"
  exit 0
fi

# 2. Ours was made before, by the compiler that is still there.
system_rustc=/usr/bin/rustc
fingerprint() { "$system_rustc" -vV; }
if [ -f "$wasm_rust/made-by" ] && [ -x "$system_rustc" ] &&
  [ "$(fingerprint)" = "$(cat "$wasm_rust/made-by")" ]; then
  exit 0
fi

# 3. rustup adds it, unless it was told to fetch nothing.
if command -v rustup >/dev/null && [ "${RUSTUP_AUTO_INSTALL:-1}" != 0 ]; then
  say "adding the target $wasm_target with rustup"
  if rustup target add $wasm_target >&2; then
    rm -rf "$wasm_rust"
    exit 0
  fi
  say "rustup could not; trying Debian's packages instead"
fi

# 4. Debian's compiler and its library's source.
by_hand="please add the target to your Rust toolchain ('rustup target add $wasm_target', or your distribution's package for it), then run this again."
mkdir -p "$cache"
source_of() { echo "$("$1" --print sysroot)/lib/rustlib/src/rust/library"; }
if ! [ -x "$system_rustc" ] || ! [ -d "$(source_of "$system_rustc")/std" ]; then
  may_apt || fail "No rustc here compiles for $wasm_target: $by_hand (As root on Debian this would install rustc-web and rust-web-src.)"
  apt_offers rustc-web || apt_refresh
  apt_offers rustc-web || fail "No rustc here compiles for $wasm_target, and apt has no rustc-web: $by_hand"
  apt_install rustc-web rust-web-src
fi
oldest=$(awk -F'"' '/^rust-version/ { print $2 }' "$root/Cargo.toml")
version=$("$system_rustc" -vV | awk '/^release:/ { print $2 }')
new_enough "$oldest" "$version" ||
  fail "Debian's rustc is $version and this crate needs $oldest: $by_hand"

# The linker: best of the same LLVM as the compiler, else the newest there is.
llvm=$("$system_rustc" -vV | awk '/^LLVM version:/ { split($3, v, "."); print v[1] }')
find_linker() {
  command -v "wasm-ld-$llvm" ||
    compgen -c wasm-ld- | grep -E '^wasm-ld-[0-9]+$' | sort -uV | tail -n 1 | xargs -r which ||
    command -v wasm-ld
}
if ! command -v "wasm-ld-$llvm" >/dev/null; then
  if may_apt; then
    apt_offers "lld-$llvm" || apt_refresh
    if apt_offers "lld-$llvm"; then
      apt_install "lld-$llvm"
    else
      newest=$(apt-cache search --names-only '^lld-[0-9]+$' | awk '{ print $1 }' | sort -V | tail -n 1)
      [ -z "$newest" ] || apt_install "$newest"
    fi
  fi
fi
linker=$(find_linker) && [ -n "$linker" ] ||
  fail "No WebAssembly linker here: please install lld (the command wasm-ld), then run this again."

say "building Rust's std for $wasm_target once, with Debian's rustc $version (about a minute)"
work=$(mktemp -d "$cache/std.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/crate/src"
cat >"$work/crate/Cargo.toml" <<'TOML'
[package]
name = "only-for-its-std"
version = "0.0.0"
edition = "2024"
[lib]
crate-type = ["rlib"]
[workspace]
TOML
: >"$work/crate/src/lib.rs"
# Bitcode has to be in the rlibs, or fat LTO stops at std.
(
  cd "$work/crate"
  env -u CARGO_ENCODED_RUSTFLAGS -u CARGO_BUILD_TARGET \
    RUSTC="$system_rustc" RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
    CARGO_TARGET_DIR="$work/target" CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$linker" \
    cargo build --quiet --release --target $wasm_target \
    -Z build-std=std,panic_abort,proc_macro,test
) >"$cache/std.log" 2>&1 || fail "Rust's std could not be built ($cache/std.log says why): $by_hand"

# A toolchain folder of symlinks to Debian's, plus the std and the linker it lacks.
host=$("$system_rustc" -vV | awk '/^host:/ { print $2 }')
system=$("$system_rustc" --print sysroot)
tree=$work/tree
mkdir -p "$tree/bin" "$tree/$wasm_std" "$tree/lib/rustlib/$host/bin"
find "$work/target/$wasm_target/release/deps" -name '*.rlib' ! -name 'libonly_for_its_std*' \
  -exec cp {} "$tree/$wasm_std/" \;
has_std "$tree/$wasm_std" || fail "Building Rust's std left no libstd ($cache/std.log): $by_hand"
ln -s "$system/lib/rustlib/$host/lib" "$tree/lib/rustlib/$host/lib"
ln -s "$system/lib/rustlib/src" "$tree/lib/rustlib/src"
# rustc looks for its linker here under this name, so nobody has to name one to cargo.
ln -s "$linker" "$tree/lib/rustlib/$host/bin/rust-lld"
cat >"$tree/bin/rustc" <<'SH'
#!/bin/sh
# Debian's rustc, with this folder for its sysroot.
exec /usr/bin/rustc --sysroot "${0%/bin/rustc}" "$@"
SH
chmod +x "$tree/bin/rustc"
fingerprint >"$tree/made-by"
rm -rf "$wasm_rust"
mv "$tree" "$wasm_rust"
