#!/usr/bin/env bash
# Checks which glibc an addon wants: no version of a symbol may be above the floor, which is what the official builds of
# Node 20 want as well. Released addons keep it (scripts/build-glibc.sh); a local build takes the versions of the machine
# that it is made on.
#
#   scripts/check-glibc.sh FILE [FLOOR]      FLOOR is 2.28 by default
set -euo pipefail
file=${1:?usage: scripts/check-glibc.sh FILE [FLOOR]}
floor=${2:-2.28}
wanted=$(objdump -T "$file" | grep -oE 'GLIBC_[0-9.]+' | sort -uV)
[ -n "$wanted" ] || { echo "check-glibc: $file names no version of glibc: is it for glibc at all?" >&2; exit 1; }
highest=${wanted##*GLIBC_}
if [ "$(printf '%s\n' "$floor" "$highest" | sort -V | tail -n1)" != "$floor" ]; then
  echo "check-glibc: $file wants glibc $highest, and $floor is promised. Above it are:" >&2
  objdump -T "$file" | while read -r line; do
    version=$(grep -oE 'GLIBC_[0-9.]+' <<<"$line") || continue
    [ "$(printf '%s\n' "$floor" "${version#GLIBC_}" | sort -V | tail -n1)" = "$floor" ] || echo "  $version ${line##* }" >&2
  done
  exit 1
fi
echo "$file runs with glibc $highest and newer"
