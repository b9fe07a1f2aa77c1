#!/usr/bin/env bash
# fuzz.sh SECONDS [TARGET…]: each target in fuzz/ for so long, from its seeds and from what earlier
# runs came upon (.cache/fuzz/TARGET/). An input that fails is kept beside that; the last lines name
# the file, and the program given that file runs it again.
#
# The same as `cargo fuzz run -s none`, which works here too, without needing cargo-fuzz: these flags
# make a stable compiler count what the fuzzer steers by. An address sanitizer would want a nightly
# one, for a core that has no unsafe code.
. "$(dirname "$0")/common.sh"
cd "$root"

command -v c++ >/dev/null || {
  may_apt || fail "There is no C++ compiler (c++) here: please install g++, then run this again."
  apt_install g++
}

seconds=$1
shift
if [ $# = 0 ]; then
  for source in fuzz/fuzz_targets/*.rs; do set -- "$@" "$(basename "$source" .rs)"; done
fi

host=$(rustc -vV | awk '/^host:/ { print $2 }')
coverage=(-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares)
say "building the fuzzer"
# With --target the flags spare build scripts.
RUSTFLAGS="--cfg fuzzing ${coverage[*]}" cargo build --quiet --locked --package honeyhive-edge-fuzz \
  --profile thorough --target "$host" --target-dir target/fuzz

for target; do
  found=.cache/fuzz/$target
  mkdir -p "$found"
  say "fuzzing $target for $seconds s"
  "target/fuzz/$host/thorough/$target" -max_total_time="$seconds" -timeout=10 -max_len=4096 \
    -dict=fuzz/json.dict -artifact_prefix="$found-" -print_final_stats=1 -verbosity=0 \
    "$found" fuzz/seeds
done
