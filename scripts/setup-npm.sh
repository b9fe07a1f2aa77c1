#!/usr/bin/env bash
# setup-npm.sh FOLDER: the packages of its package-lock.json, exactly those.
. "$(dirname "$0")/common.sh"

say "npm ci in $1"
log=$cache/npm.log
(cd "$root/$1" && npm ci --no-audit --no-fund --loglevel=error) >"$log" 2>&1 </dev/null || {
  head -n 20 "$log" >&2
  fail "npm ci failed in $1 ($log has the rest): please see that npm reaches its registry and that package-lock.json fits package.json."
}
