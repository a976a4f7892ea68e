#!/usr/bin/env bash
# Runs every fuzz target for a few seconds: scripts/fuzz.sh [SECONDS [TARGET]]. What is found stays in the crate's
# fuzz/artifacts, what was learnt in fuzz/corpus.
#
# The targets are in cargo-fuzz's layout and work with it (`cargo +nightly fuzz run TARGET`). Here they are built with the
# pinned stable compiler instead: its coverage instrumentation is the same, only the address sanitizer needs nightly.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-10}
only=${2:-}
root=$PWD
target=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz passes, without the sanitizer. Overflow checks and debug assertions are in the profile. Our own crates
# alone get it: what they depend on is built in a third of the time, and the fuzzer follows the paths of our code.
export SE_FUZZ_FLAGS="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares"
export SE_FUZZ_CRATES=$root/crates
export RUSTC_WRAPPER=$root/scripts/fuzz-rustc.sh
export CARGO_TARGET_DIR=$root/target/fuzz

found=0
for manifest in crates/*/fuzz/Cargo.toml; do
  crate=$(dirname "$manifest")
  # With --target the flags do not reach build scripts, which have no driver to link with.
  cargo build --quiet --release --locked --target "$target" --manifest-path "$manifest"
  for source in "$crate"/fuzz_targets/*.rs; do
    name=$(basename "$source" .rs)
    if [ -n "$only" ] && [ "$only" != "$name" ]; then continue; fi
    found=1
    mkdir -p "$crate/corpus/$name" "$crate/artifacts/$name"
    dictionary=()
    if [ -f "$crate/words.dict" ]; then dictionary=("-dict=$root/$crate/words.dict"); fi
    echo "fuzz: $crate $name, $seconds s"
    log=$crate/artifacts/$name/log
    # -timeout: a single input that takes this long is a finding as well.
    if ! "$CARGO_TARGET_DIR/$target/release/$name" -max_total_time="$seconds" -timeout=10 -max_len=4096 -rss_limit_mb=2048 \
      "${dictionary[@]}" -artifact_prefix="$crate/artifacts/$name/" -print_final_stats=1 "$crate/corpus/$name" >"$log" 2>&1; then
      tail -n 40 "$log" >&2
      echo "fuzz: $name failed; the input is in $crate/artifacts/$name" >&2
      exit 1
    fi
    grep -E 'number_of_executed_units|cov: [0-9]+' "$log" | tail -n 2
  done
done
if [ "$found" = 0 ]; then
  echo "fuzz: there is no target${only:+ named $only}" >&2
  exit 2
fi
