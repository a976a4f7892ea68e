#!/usr/bin/env bash
# The main job on one store, through the command line of the built package: a value of several lines and letters goes
# in and comes back, is listed, and is removed. Nothing is left behind.
#
#   scripts/smoke.sh STORE [CMD…]      STORE is keychain or file, CMD runs `se` (node dist/cli.cjs by default)
#   scripts/smoke.sh daemon [CMD…]     the store file, by a daemon that runs meanwhile
#
# Standard input and output of CMD are files: Node under Wine can use nothing else.
set -euo pipefail

smoke() {
  local store=$1 folder id value
  shift
  folder=$(mktemp -d)
  id="smoke/$store/$$"
  value='first line
pässwörd 🔑'
  expect() {
    if [ "$(cat "$folder/stdout")" != "$1" ]; then
      echo "smoke: $2 answered something else:" >&2
      cat "$folder/stdout" >&2
      return 1
    fi
  }
  printf '%s' "$value" >"$folder/value"
  SE_STORE=$store "$@" set "$id" <"$folder/value" >"$folder/stdout"
  SE_STORE=$store "$@" get "$id" --reveal </dev/null >"$folder/stdout"
  expect "$value" "se get $id"
  SE_STORE=$store "$@" ls "smoke/$store/**" </dev/null >"$folder/stdout"
  expect "$id" "se ls"
  SE_STORE=$store "$@" rm "$id" </dev/null >"$folder/stdout"
  SE_STORE=$store "$@" ls "smoke/$store/**" </dev/null >"$folder/stdout"
  expect '' "se ls after se rm"
  rm -r "$folder"
  echo "se set, get, ls and rm work on the store $store"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  cd "$(dirname "$0")/.."
  store=${1:?usage: scripts/smoke.sh STORE [CMD…]}
  shift
  [ $# -gt 0 ] || set -- node dist/cli.cjs
  if [ "$store" = file ] || [ "$store" = daemon ]; then
    home=$(mktemp -d)
    export SE_STORE_PATH="$home/store.age" SE_IDENTITY="$home/identity.age" SE_CONFIG="$home/config.toml"
    "$@" store use file --key-file
    if [ "$store" = daemon ]; then
      # A folder for its socket, its log and its plugins, and no address that others look at.
      export XDG_RUNTIME_DIR="$home/run" XDG_STATE_HOME="$home/state" XDG_DATA_HOME="$home/data"
      mkdir -m 700 "$home/run"
      printf '[daemon]\naddresses = ["%s"]\n' "$home/run/se-native/daemon.sock" >>"$SE_CONFIG"
      "$@" daemon start
      trap '"$@" daemon stop' EXIT
    fi
    smoke file "$@"
    if [ "$store" = daemon ]; then
      "$@" explain smoke/none | grep 'says the daemon at'
      trap - EXIT
      "$@" daemon stop
    fi
    rm -r "$home"
  else
    smoke "$store" "$@"
  fi
fi
