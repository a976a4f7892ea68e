#!/usr/bin/env bash
# Stands between cargo and rustc for scripts/fuzz.sh: our own crates are built with SE_FUZZ_FLAGS.
compiler=$1
shift
case ${CARGO_MANIFEST_DIR:-} in
  # shellcheck disable=SC2086 # several flags
  "${SE_FUZZ_CRATES:?}"/*) exec "$compiler" "$@" $SE_FUZZ_FLAGS ;;
esac
exec "$compiler" "$@"
