#!/usr/bin/env bash
# Builds the addon for this machine in the release profile, and on Unix the launcher, and puts both at the top level, where
# they are looked for after the platform packages. `--dev` builds without optimising. Further arguments, of which there is
# `--target TARGET` alone, go to both builds.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=--release
if [ "${1:-}" = --dev ]; then
  profile=
  shift
fi
# shellcheck disable=SC2086 # an empty profile is no argument
npx --no-install napi build $profile --platform --no-js \
  --manifest-path crates/binding/Cargo.toml --output-dir . --package-json-path package.json "$@" -- --locked
case "$(uname -s)" in MINGW* | MSYS*) exit ;; esac
# Where cargo puts it depends on the profile, the target and the environment: cargo says where.
[ $# -gt 0 ] || set -- --target "$(rustc -vV | sed -n 's/^host: //p')" # as napi: both share what they are built from
# On Linux it is static where the standard library for that is installed (scripts/setup.sh): it starts in half the time, and
# is one program for every C library.
static=${2/%-gnu/-musl}
[ ! -d "$(rustc --print target-libdir --target "$static")" ] || set -- --target "$static"
[ -z "$profile" ] || profile='--profile launcher'
# shellcheck disable=SC2086
launcher=$(cargo build $profile -p launcher --locked --message-format=json-render-diagnostics "$@" |
  node -e 'const line = require("fs").readFileSync(0, "utf8").split("\n").findLast((text) => text.includes("\"executable\":\""))
    console.log(JSON.parse(line).executable)')
platform=$(ls -t se-native.*.node | head -1 | sed 's/^se-native\.\(.*\)\.node$/\1/')
# Replaced as a whole: it may be running.
cp "$launcher" "se.$platform.new"
mv "se.$platform.new" "se.$platform"
