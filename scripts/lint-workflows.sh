#!/usr/bin/env bash
# Checks the workflows: syntax, expressions, names of actions' inputs, runners. actionlint is a Go program; the Go tool
# chain fetches this version of it and keeps it. Where `actionlint` is installed, that one is used.
set -euo pipefail
cd "$(dirname "$0")/.."
if command -v actionlint >/dev/null; then
  exec actionlint -no-color
fi
command -v go >/dev/null || {
  echo 'lint-workflows: neither actionlint nor Go is here' >&2
  echo 'hint: install Go 1.24 or newer (https://go.dev), or actionlint (https://github.com/rhysd/actionlint)' >&2
  exit 1
}
exec go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 -no-color
