#!/usr/bin/env bash
# Runs groups of checks (lint core wasm js frameworks) stage after stage, and goes on after one that fails;
# only where a group's set-up fails is that group left.
# Ends with how long each took and one line: N passed, N failed. Every stage's output is kept
# in build/logs/. What a group needs, make sets up first; what is checked is not decided here
# but by cargo, wasm-pack, npm and their files.
. "$(dirname "$0")/common.sh"
cd "$root"
mkdir -p build/logs

crates="--package honeyhive-edge"
limit=30m # for a stage that hangs: the longest takes a fraction of it
passed=0 failed=0 skipped=0
report=() broken=()
child=

# timeout gives its command a process group of its own, which Ctrl-C does not reach.
trap '[ -z "$child" ] || kill "$child" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

# A log's "12 passed; 0 failed; 1 ignored" (cargo, wasm-bindgen) and "pass 12", "fail 0"
# (Node's test runner), added up as "passed failed skipped".
counts() {
  sed -E $'s/\x1b\\[[0-9;]*m//g' "$1" | awk '
    /^test result: / { for (i = 2; i <= NF; i++) n[$i] += $(i - 1) }
    /^(#|ℹ) (pass|fail|cancelled|skipped|todo) [0-9]+$/ { n[$2] += $3 }
    END { print n["passed;"] + n["pass"], n["failed;"] + n["fail"] + n["cancelled"],
                n["ignored;"] + n["skipped"] + n["todo"] }'
}

# stage step|check|tests NAME SCRIPT: a step counts only when it fails; a check as one; tests as
# many as the log says, and none at all is a failure (wasm-pack skips suites quietly).
stage() {
  local kind=$1 name=$2 script=$3 log started=$SECONDS status=0 p=0 f=0 s=0
  log=build/logs/${name// /-}.log
  printf '\n── %s\n' "$name"
  : >"$log"
  timeout -k 10 $limit bash -euo pipefail -c "$script" >"$log" 2>&1 </dev/null &
  child=$!
  tail -n +1 -s 0.2 -f --pid=$child "$log"
  wait $child || status=$?
  child=
  [ $status != 124 ] || printf '✗ %s was stopped after %s\n' "$name" $limit
  if [ "$kind" = tests ]; then
    read -r p f s < <(counts "$log")
    if [ $((p + f)) = 0 ]; then
      printf '✗ %s ran no test at all\n' "$name"
      f=1
    elif [ $status != 0 ] && [ "$f" = 0 ]; then
      f=1
    fi
  elif [ $status != 0 ]; then
    f=1
  elif [ "$kind" = check ]; then
    p=1
  fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  report+=("$(printf '%5ss  %5s passed  %3s failed  %s' $((SECONDS - started)) "$p" "$f" "$name")")
  [ "$f" = 0 ] || broken+=("$name")
  [ "$f" = 0 ]
}

finish() {
  printf '\n── how long it took\n'
  printf '%s\n' "${report[@]}"
  printf '%5ss  altogether\n\n' $SECONDS
  [ $skipped = 0 ] || printf '%s skipped\n' $skipped
  local name
  for name in "${broken[@]}"; do printf '✗ %s: see build/logs/%s.log\n' "$name" "${name// /-}"; done
  printf '%s passed, %s failed\n' $passed $failed
  [ $failed = 0 ]
  exit
}

lint() {
  stage step "set up lint" "make setup-lint" || return
  stage check "cargo fmt" "cargo fmt --check --all"
  stage check "cargo clippy" "cargo clippy --locked --all-targets $crates -- -D warnings"
  stage check "cargo clippy wasm32" "scripts/clippy-wasm.sh"
  stage check "oxlint" "npm run --silent lint"
  stage check "prettier" "npm run --silent check-format"
  stage check "prose" "npm run --silent lint-prose"
  # The face's types begin with what wasm-bindgen declares of the modules.
  stage step "build" "make build" || return
  stage check "tsc" "npm run --silent check-types"
  stage check "reference" "make docs"
}

core() {
  stage step "set up core" "make setup-base" || return
  stage tests "cargo test" "cargo test --locked --no-fail-fast $crates"
  # Long enough to see that it finds its way; `make fuzz` looks for longer.
  stage check "fuzzing" "scripts/fuzz.sh 5"
}

wasm() {
  stage step "set up wasm" "make setup-test-wasm" || return
  local pack='. scripts/env.sh; wasm-pack'
  stage tests "wasm-pack test node" "$pack test --node --mode no-install ."
  stage tests "wasm-pack test chrome" \
    "$pack test --headless --chrome --chromedriver \"\$(command -v chromedriver)\" --mode no-install ."
  # The plain output, for whoever wants that: not into pkg/, which is ours.
  stage check "wasm-pack build" "$pack build --mode no-install --out-dir build/wasm-pack ."
}

js() {
  stage step "build" "make build" || return
  stage step "set up js" "make setup-test-js" || return
  stage tests "demo tests" "cd www-demo && npm test"
  stage tests "package tests" "cd tests && npm test"
}

frameworks() {
  stage step "build" "make build" || return
  stage step "set up frameworks" "make setup-test-frameworks" || return
  stage tests "frameworks" "cd tests && npm run test-frameworks"
}

set +e
for group; do "$group"; done
finish
