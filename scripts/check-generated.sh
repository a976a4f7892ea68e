#!/usr/bin/env bash
# Makes every generated file again and fails when one differs from what is committed.
set -euo pipefail
cd "$(dirname "$0")/.."
npx --no-install buf lint
before=$(git status --porcelain -- man docs npm src index.d.ts; git diff -- man npm src index.d.ts | cksum)
npm run --silent generate
after=$(git status --porcelain -- man docs npm src index.d.ts; git diff -- man npm src index.d.ts | cksum)
if [ "$before" != "$after" ]; then
  git diff --stat -- man docs npm src index.d.ts
  echo "generated files are out of date: run 'npm run generate' and commit the result" >&2
  exit 1
fi
