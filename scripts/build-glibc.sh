#!/usr/bin/env bash
# Builds the addon and the launcher for release on glibc, for this machine's processor: linked by zig against glibc 2.28, so that it runs
# wherever the official builds of Node 20 do, and checked for that. Needs Python 3 with pip, which fetches zig.
#
#   scripts/build-glibc.sh [ARGUMENTS OF build-native.sh]
set -euo pipefail
cd "$(dirname "$0")/.."
floor=2.28
zig=$PWD/.cache/zig
[ -d "$zig" ] || python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$zig" ziglang==0.15.1
cpu=$(uname -m)
target=$cpu-unknown-linux-gnu
linker=$PWD/.cache/zig-cc-$cpu
# zig brings its own unwinder under another name than gcc's.
cat >"$linker" <<CC
#!/usr/bin/env bash
args=()
for arg in "\$@"; do
  [ "\$arg" = -lgcc_s ] && arg=-lunwind
  args+=("\$arg")
done
exec "$zig/ziglang/zig" cc -target $cpu-linux-gnu.$floor "\${args[@]}"
CC
chmod +x "$linker"
name=$(tr 'a-z-' 'A-Z_' <<<"$target")
export "CARGO_TARGET_${name}_LINKER=$linker"
rustup target add "$cpu-unknown-linux-musl" # the launcher's: static, and so for every glibc
bash scripts/build-native.sh "$@" --target "$target"
bash scripts/check-glibc.sh se-native.linux-*-gnu.node "$floor"
