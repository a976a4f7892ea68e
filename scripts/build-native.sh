#!/usr/bin/env bash
# Builds the addon for this machine in the release profile and puts it at the top level, where the loader looks
# after the platform packages. `--dev` builds without optimising. Further arguments go to `napi build`.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=--release
if [ "${1:-}" = --dev ]; then
  profile=
  shift
fi
# shellcheck disable=SC2086 # an empty profile is no argument
exec npx --no-install napi build $profile --platform --no-js --dts target/binding.d.ts \
  --manifest-path crates/binding/Cargo.toml --output-dir . --package-json-path package.json "$@" -- --locked
