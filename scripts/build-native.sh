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
# On Linux it is static, and starts in half the time: on musl where Rust's library for that is installed, which makes one
# program for every C library; else on the machine's own.
options=()
static=${2/%-gnu/-musl}
if [ -d "$(rustc --print target-libdir --target "$static")" ]; then
  set -- --target "$static"
elif [ -e "$(cc -print-file-name=libc.a)" ]; then
  options=(--config "target.$2.rustflags=['-Ctarget-feature=+crt-static']")
fi
[ -z "$profile" ] || profile='--profile launcher'
# shellcheck disable=SC2086
launcher=$(cargo build $profile -p launcher --locked --message-format=json-render-diagnostics "$@" \
  "${options[@]:+${options[@]}}" |
  node -e 'const line = require("fs").readFileSync(0, "utf8").split("\n").findLast((text) => text.includes("\"executable\":\""))
    console.log(JSON.parse(line).executable)')
platform=$(ls -t se-native.*.node | head -1 | sed 's/^se-native\.\(.*\)\.node$/\1/')
# Replaced as a whole: it may be running.
cp "$launcher" "se.$platform.new"
mv "se.$platform.new" "se.$platform"
