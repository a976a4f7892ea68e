#!/usr/bin/env bash
# The main job, from a fresh machine: keeps a secret for real and starts a program with it. In the OS keychain where
# one answers, else in an encrypted file. What it stored is removed at the end; what it installed and built stays.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh

se() { node dist/cli.cjs "$@"; }
show() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
id="se-native-demo/$$/password"
folder=$(mktemp -d)
trap 'se rm "$id" >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT

if ! se store >/dev/null 2>&1 || [ "${SE_DEMO_STORE:-}" = file ]; then
  # No keychain here: an encrypted file of its own, in a folder that goes away again.
  export SE_CONFIG="$folder/config.toml" SE_STORE_PATH="$folder/store.age" SE_IDENTITY="$folder/identity.age"
  show "se store use file"
  se store use file --key-file
fi
show "se store"
se store
show "se set $id          # the value comes from standard input"
head -c 18 /dev/urandom | base64 | se set "$id"
show "se get $id"
se get "$id"
show "DB_PASSWORD=se://$id se run -- sh -c 'printf \"the program sees %s characters\\n\" \${#DB_PASSWORD}'"
# shellcheck disable=SC2016 # the variable is the program's
DB_PASSWORD="se://$id" node dist/cli.cjs run -- sh -c 'printf "the program sees %s characters\n" ${#DB_PASSWORD}'
show "se rm $id"
se rm "$id"
printf '\nThat worked. The secret is gone again; what was built stays. To have se on the PATH: npm link. What else it does: README.md.\n'
