#!/usr/bin/env bash
# Makes sure some rustc here compiles for wasm32-unknown-unknown. In this order: it does
# already; rustup adds the target; the system's rustc (Debian's rustc-web), with a std built
# once from its source. That last toolchain lives in .cache/rust-wasm; no system folder changes.
. "$(dirname "$0")/common.sh"

has_std() { compgen -G "$1/libstd-*.rlib" >/dev/null; }
default_has_it() { has_std "$(rustc --print target-libdir --target $wasm_target 2>/dev/null)"; }

system_rustc=/usr/bin/rustc
# One line of `rustc -vV`, by its label.
about() { $system_rustc -vV | sed -n "s/^$1: //p"; }
wanted=$(rust_version)
system_is_recent() { [ -x $system_rustc ] && at_least "$wanted" "$(about release)"; }
system_has_source() {
  system_is_recent && [ -d "$($system_rustc --print sysroot)/lib/rustlib/src/rust/library/std" ]
}

if default_has_it; then
  rm -rf "$wasm_rust"
  exit 0
fi

# Our own is good as long as the compiler it was made with is the one that is here.
if [ -f "$wasm_rust/made-with" ] && [ -x $system_rustc ] &&
  [ "$($system_rustc -vV)" = "$(<"$wasm_rust/made-with")" ]; then
  exit 0
fi

if command -v rustup >/dev/null && [ "${RUSTUP_AUTO_INSTALL:-1}" != 0 ]; then
  say "adding the target $wasm_target with rustup"
  if timeout 300 rustup target add $wasm_target >"$cache/rustup.log" 2>&1 && default_has_it; then
    rm -rf "$wasm_rust"
    exit 0
  fi
  say "rustup could not ($cache/rustup.log says why)"
fi

by_hand="please add the target to your Rust toolchain ('rustup target add $wasm_target', or your distribution's package), then run this again."
if ! system_has_source; then
  may_apt || fail "No rustc here compiles for $wasm_target: $by_hand (Or, on Debian, install rustc-web and rust-web-src.)"
  # Lists that are some months old know an older compiler.
  apt_offers rustc-web "$wanted" || apt_refresh
  apt_offers rustc-web "$wanted" ||
    fail "No rustc here compiles for $wasm_target, and apt has no rustc-web of $wanted or later: $by_hand"
  apt_install rustc-web rust-web-src
  system_has_source || fail "rustc-web and rust-web-src left no compiler of $wanted or later with its source: $by_hand"
fi
version=$(about release)

# The linker of the compiler's own LLVM, or else the newest that can be had.
llvm=$(about "LLVM version")
llvm=${llvm%%.*}
newest_linker() { compgen -c wasm-ld- | grep -xE 'wasm-ld-[0-9]+' | sort -uV | tail -n 1; }
newest_lld() { apt-cache search --names-only '^lld-[0-9]+$' | cut -d ' ' -f 1 | sort -V | tail -n 1; }
if ! command -v "wasm-ld-$llvm" >/dev/null && may_apt; then
  apt_offers "lld-$llvm" || apt_refresh
  lld=lld-$llvm
  apt_offers "$lld" || lld=$(newest_lld)
  [ -z "$lld" ] || apt_install "$lld"
fi
linker=$(command -v "wasm-ld-$llvm" || command -v "$(newest_linker)" || command -v wasm-ld) ||
  fail "There is no WebAssembly linker here: please install lld-$llvm (the command wasm-ld-$llvm), then run this again."

# What was compiled against another std does not go with this one, and cargo cannot tell.
rm -rf "${CARGO_TARGET_DIR:-$root/target}/$wasm_target"
say "building Rust's std for $wasm_target with rustc $version (a minute, once)"
work=$(mktemp -d "$cache/std.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/crate/src"
cat >"$work/crate/Cargo.toml" <<'TOML'
[package]
name = "std-only"
version = "0.0.0"
edition = "2024"
[workspace]
TOML
: >"$work/crate/src/lib.rs"
(cd "$root" && cargo fetch --locked --quiet) # so that it is known where crates are
# -Z build-std asks for RUSTC_BOOTSTRAP; nothing after this does. Fat LTO asks for the bitcode.
(
  cd "$work/crate"
  RUSTC=$system_rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Cembed-bitcode=yes $("$root/scripts/remap-paths.sh")" \
    CARGO_TARGET_DIR=$work/target \
    cargo build --release --target $wasm_target -Z build-std=std,panic_abort,proc_macro,test
) >"$cache/std.log" 2>&1 || fail "Rust's std could not be built ($cache/std.log says why): $by_hand"

# A toolchain of links into the system's, and the two things that one lacks: std and a linker.
system=$($system_rustc --print sysroot)/lib/rustlib
host=$(about host)
tree=$work/tree
std=$tree/lib/rustlib/$wasm_target/lib
mkdir -p "$tree/bin" "$std" "$tree/lib/rustlib/$host/bin"
find "$work/target/$wasm_target/release/deps" -name '*.rlib' ! -name 'libstd_only*' -exec cp {} "$std" \;
has_std "$std" || fail "Building Rust's std left none behind ($cache/std.log): $by_hand"
ln -s "$system/$host/lib" "$tree/lib/rustlib/$host/lib"
ln -s "$system/src" "$tree/lib/rustlib/src" # build-wasm.sh builds std once more, for size
# rustc looks here for this name by itself, so that nobody has to tell cargo of a linker.
ln -s "$linker" "$tree/lib/rustlib/$host/bin/rust-lld"
for program in rustc rustdoc; do
  cat >"$tree/bin/$program" <<SH
#!/bin/sh
# The system's $program, with this folder for its sysroot.
exec /usr/bin/$program --sysroot "\${0%/bin/$program}" "\$@"
SH
done
chmod +x "$tree"/bin/*
$system_rustc -vV >"$tree/made-with"
rm -rf "$wasm_rust"
mv "$tree" "$wasm_rust"
