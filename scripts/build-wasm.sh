#!/usr/bin/env bash
# src/ → build/wasm/<artifact>/core.js and core_bg.wasm: compile, generate the glue, make it small. An
# artifact is the crate with some of its features; what becomes of it in the package is said in build-pkg.mjs.
. "$(dirname "$0")/common.sh"
cd "$root"
artifacts=(page relay tracer otel)
declare -A features=([page]=tracer [relay]=relay [tracer]=tracer,reading [otel]=otel)
cargo fetch --locked --quiet # before env.sh, which asks where the crates are
. "$root/scripts/env.sh"

target_dir=${CARGO_TARGET_DIR:-target}
rustflags_of_all=$CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS
# compile PROFILE PACKAGE CARGO_OPTION…
compile() {
  cargo build --profile "$1" --lib --target $wasm_target --package "${@:2}"
}

# Where the source of std is at hand, std is built along: for size where the crate is, and so that a panic is a trap
# without a message. It takes a quarter off. -Z asks for RUSTC_BOOTSTRAP on a stable compiler.
compile_small() {
  local for_size=()
  local rustflags=$CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS
  rustflags+=" -Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none -Zfmt-debug=none"
  if [ "$1" = release ]; then
    for_size=(-Z build-std-features=optimize_for_size)
    # Small functions are inlined before LLVM sees them: of such thresholds those with the smallest result.
    rustflags+=" -Zinline-mir=yes -Zinline-mir-threshold=20 -Zinline-mir-hint-threshold=40"
  fi
  RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$rustflags compile "$@" \
    -Z build-std=std,panic_abort "${for_size[@]}"
}

source=$("${RUSTC:-rustc}" --print sysroot)/lib/rustlib/src/rust/library/std
# What was compiled is then in $compiled.
compile_either() {
  if [ -d "$source" ] && say "compiling the crate and std for $wasm_target: ${*:2}" &&
    CARGO_TARGET_DIR=$target_dir/small compile_small "$@"; then
    compiled=$target_dir/small/$wasm_target/$1
  else
    say "compiling the crate for $wasm_target: ${*:2}"
    compile "$@"
    compiled=$target_dir/$wasm_target/$1
  fi
}

built=build/wasm.new
rm -rf build/wasm $built
for artifact in "${artifacts[@]}"; do
  # Inlining what has one caller makes it smaller, and gzip's result larger. Control flow that is taken apart and
  # put together anew (--flatten --rereloop) saves 1 %.
  profile=release
  vectors=
  optimized=(-Oz --flatten --rereloop -Oz -Oz --converge --one-caller-inline-max-function-size=20)
  case $artifact in
    # A server runs it for every request.
    tracer) profile=served optimized=(-O3) ;;
    # It works on every span that a server ends, and a page that loads it has loaded OpenTelemetry's SDK as well. What
    # has one caller is not inlined into it: V8 takes long to compile large functions.
    # Every runtime that the package names has the instructions for vectors, by which the text of spans is masked.
    otel)
      profile=fast optimized=(-O3 --one-caller-inline-max-function-size=60)
      vectors=" -Ctarget-feature=+simd128"
      ;;
  esac
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$rustflags_of_all$vectors
  compile_either $profile honeyhive-edge --no-default-features --features "${features[$artifact]}"
  wasm-bindgen --target web --out-name core --out-dir "$built/$artifact" "$compiled/honeyhive_edge.wasm"

  wasm=$built/$artifact/core_bg.wasm
  # The stack lies lowest in memory, so nothing is read at addresses below 1,024.
  wasm-opt "${optimized[@]}" --low-memory-unused -g --strip-producers "$wasm" -o "$built/$artifact/named.wasm"
  # By itself: --converge would do it again and again. What has the names of functions is kept for `make size`.
  # The page's imports and exports get names of one letter: wasm-bindgen's end with hashes, which no compression shortens.
  # scripts/core-factory.mjs gives them to the glue. Other artifacts are published as files, with the names of their types.
  short=()
  if [ "$artifact" = page ]; then short=(--minify-imports-and-exports-and-modules); fi
  wasm-opt --strip-debug "${short[@]}" --strip-target-features "$built/$artifact/named.wasm" -o "$wasm" >"$built/$artifact/names.json"
  say "$artifact: $(wc -c <"$wasm") bytes, $(gzip -9c "$wasm" | wc -c) gzipped"
done

# Renamed last, so that a build broken off half-way does not look finished.
mv $built build/wasm
