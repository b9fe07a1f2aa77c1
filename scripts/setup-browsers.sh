#!/usr/bin/env bash
# Makes sure of the browsers the tests drive, and what they are driven with.
. "$(dirname "$0")/common.sh"

missing=()
want() { command -v "$1" >/dev/null || missing+=("$2"); }
want chromium chromium
want chromedriver chromium-driver
want firefox-esr firefox-esr
want WebKitWebDriver webkit2gtk-driver
want Xvfb xvfb

[ ${#missing[@]} -gt 0 ] || exit 0
may_apt || fail "The tests need browsers that are not here: please install ${missing[*]} (Debian's names), then run this again."
apt_install "${missing[@]}"
