#!/usr/bin/env bash
# Makes sure of valgrind, which counts the core's instructions.
. "$(dirname "$0")/common.sh"

! command -v valgrind >/dev/null || exit 0
may_apt || fail "Counting instructions takes valgrind: please install it, then run this again."
apt_install valgrind
