#!/usr/bin/env bash
# Builds the addon for this machine's processor on musl and proves it there: Node of Alpine loads it, and the command
# line works on the file store. In a container, since the addon must be linked and run with musl itself.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v docker >/dev/null || { echo 'build-musl: docker is missing' >&2; exit 1; }
exec docker run --rm --volume "$PWD:/src" --workdir /src node:22-alpine sh -euc '
  apk add --no-cache bash gcc musl-dev rustup
  rustup-init -y --quiet --no-modify-path --profile minimal --default-toolchain none
  export PATH="$HOME/.cargo/bin:$PATH"
  npm ci --no-audit --no-fund
  npm run build
  bash scripts/smoke.sh file'
