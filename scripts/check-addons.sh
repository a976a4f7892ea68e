#!/usr/bin/env bash
# Before a release: every folder of npm/ holds its addon and its launcher, and npm can tell where the package comes from.
set -euo pipefail
cd "$(dirname "$0")/.."
missing=0
for folder in npm/*/; do
  main=$(node -p "require('./${folder}package.json').main")
  if [ ! -s "$folder$main" ]; then
    echo "check-addons: $folder$main is missing" >&2
    missing=1
  fi
  case $folder in npm/win32-*) continue ;; esac
  if [ ! -x "${folder}se" ]; then
    echo "check-addons: ${folder}se is missing, or cannot be executed" >&2
    missing=1
  fi
done
if [ "$(node -p 'Boolean(require("./package.json").repository)')" != true ]; then
  echo 'check-addons: package.json names no repository, and npm gives no provenance without one' >&2
  missing=1
fi
[ "$missing" = 0 ] || exit 1
echo "every platform has its addon and its launcher"
