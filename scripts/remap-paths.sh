#!/usr/bin/env bash
# Prints the rustc flags that keep paths of this machine out of what is published: panics carry the
# name of their source file. Asks where the crates are, so these are to be fetched before.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
printf '%s' "--remap-path-prefix=$root=."
for crates in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
  printf ' %s' "--remap-path-prefix=$crates=crates"
done
