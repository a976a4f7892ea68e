#!/usr/bin/env bash
# Makes a fresh machine ready: system packages where it may install them (otherwise it names them), npm packages,
# the addon and the TypeScript. `--tests` adds what only the tests need. Everything that is there already is kept.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$1" >&2; printf 'hint: %s\n' "$2" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# program:package pairs, Debian's names
wanted=(cc:gcc)
[ "$(uname -s)" = Linux ] || wanted=()
if [ "${1:-}" = --tests ] && [ "$(uname -s)" = Linux ]; then
  wanted+=(dbus-daemon:dbus gnome-keyring-daemon:gnome-keyring secret-tool:libsecret-tools age:age tmux:tmux vi:vim-tiny less:less
    python3:python3 strace:strace zsh:zsh fish:fish man:man-db c++:g++ curl:curl setpriv:util-linux flock:util-linux
    systemd-analyze:systemd ps:procps mount:mount docker:docker-cli dockerd:docker.io busybox:busybox-static direnv:direnv ssh-agent:openssh-client openssl:openssl)
fi
missing=()
for pair in "${wanted[@]:+${wanted[@]}}"; do
  has "${pair%%:*}" || missing+=("${pair#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  if has apt-get && "${as_root[@]:+${as_root[@]}}" true 2>/dev/null; then
    say "Installing ${missing[*]}"
    "${as_root[@]:+${as_root[@]}}" apt-get update -qq
    # Debian 12 has Docker's command and BuildKit in one package with its daemon.
    apt-cache show docker-cli >/dev/null 2>&1 || missing=("${missing[@]/#docker-cli/docker.io}")
    if [[ " ${missing[*]} " = *" docker.io "* ]] && apt-cache show docker-buildx >/dev/null 2>&1; then missing+=(docker-buildx); fi
    "${as_root[@]:+${as_root[@]}}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  else
    fail "these system packages are missing: ${missing[*]}" "install them with your package manager, then run this again"
  fi
fi
has node || fail "Node.js is missing" "install Node.js 20.19 or newer: https://nodejs.org"
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
  fail "Node.js $(node --version) is too old" "install Node.js 20.19 or newer: https://nodejs.org"
has cargo || fail "the Rust tool chain is missing" "install it with rustup: https://rustup.rs"
if [ "${1:-}" = --tests ]; then
  has go || fail "Go is missing: the tests build Docker's own client and plugins, and actionlint, which checks the workflows" \
    "install Go 1.25 or newer: https://go.dev"
fi

# What was made from these very files is kept.
stamp() { cat "$@" | cksum; }
if [ ! -d node_modules ] || [ "$(stamp package-lock.json)" != "$(cat node_modules/.se-stamp 2>/dev/null)" ]; then
  say "Installing npm packages"
  npm ci --no-audit --no-fund --loglevel=error
  stamp package-lock.json > node_modules/.se-stamp
fi
if [ -d target/release ]; then say "Building the addon"; else say "Building the addon: the first time this takes some minutes"; fi
npm run --silent build:native
say "Building the TypeScript"
npm run --silent build:ts
