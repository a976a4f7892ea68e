#!/usr/bin/env bash
# Everything that CI checks, from a fresh machine: set-up, then `npm run ready`. A suite that needs a program which
# is missing fails here; it is never skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh --tests
SE_REQUIRE=keyring,age,tmux,go,docker npm run --silent ready
