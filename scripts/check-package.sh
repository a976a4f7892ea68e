#!/usr/bin/env bash
# Packs what would be published (this package and the one of this platform), installs both into an empty project, and uses
# them there: as an ES module, with require(), from TypeScript in each supported resolution, and the command line; on the
# Node.js that runs this and on the newest LTS. `npm run build` first.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
lts=26
for file in dist/index.js dist/cli.cjs; do
  [ -e "$file" ] || { echo "check-package: $file is not there: npm run build" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

platform=$(node -e "import('./dist/native/load.js').then(({ platformName }) => console.log(platformName()))")
addon=se-native.$platform.node
[ -e "$addon" ] || { echo "check-package: $addon is not there: npm run build:native" >&2; exit 1; }
cp -R "npm/$platform" "$work/npm"
cp "$addon" "$work/npm/"
case $platform in
  win32-*) ;;
  *)
    cp "se.$platform" "$work/npm/se"
    size=$(stat -c %s "$work/npm/se" 2>/dev/null || stat -f %z "$work/npm/se")
    [ "$size" -le 3000000 ] || { echo "check-package: the launcher has $size bytes, more than 3 MB" >&2; exit 1; }
    ;;
esac
npm pack --silent --pack-destination "$work" >/dev/null
npm pack --silent --pack-destination "$work" "$work/npm" >/dev/null
cd "$work"
main=$(ls se-native-[0-9]*.tgz)
native=$(ls "se-native-$platform"-*.tgz)
echo "packed: $main ($(stat -c %s "$main" 2>/dev/null || stat -f %z "$main") bytes), $native"
unwanted=$(tar -tzf "$main" | grep -vE '^package/(dist/|man/|index\.d\.ts|package\.json|README\.md|CHANGELOG\.md|LICENSE)' || true)
[ -z "$unwanted" ] || { echo "check-package: the tarball holds what it must not: $unwanted" >&2; exit 1; }

mkdir project && cd project
echo '{ "private": true }' >package.json
npm install --silent --no-audit --no-fund "../$main" "../$native"
cp "$here"/__test__/package/* .

# The other Node.js: the npm package that holds nothing but its program.
mkdir ../lts && (cd ../lts && echo '{}' >package.json && npm install --silent --no-audit --no-fund --no-save "node-$(node -p 'process.platform === "win32" ? "win" : process.platform')-$(node -p process.arch)@$lts")
other=$(ls "$work"/lts/node_modules/node-*/bin/node)
for node in "$(command -v node)" "$other"; do
  version=$("$node" --version)
  for program in use.mjs use.cjs server.mjs; do
    "$node" "$program" 2>"$program.err" || { cat "$program.err" >&2; echo "check-package: $program fails on Node.js $version" >&2; exit 1; }
    [ ! -s "$program.err" ] || { cat "$program.err" >&2; echo "check-package: $program warns on Node.js $version" >&2; exit 1; }
  done
  [ "$("$node" node_modules/se-native/dist/cli.cjs --version)" = "$("$node" -p "'se ' + require('se-native/package.json').version")" ]
  echo "works: import, require(), se and the daemon’s server on Node.js $version"
done

case $platform in
  win32-*) ;;
  *)
    npm install --silent --no-audit --no-fund --ignore-scripts --omit=optional --global --prefix "$work/global" "$work/$main"
    cmp "$work/global/share/man/man1/se.1" "$here/man/se.1"
    echo "works: npm install --global brings the man page"

    # The link se leads to the launcher where scripts run, and to JavaScript where not; setup native makes up for that. npm
    # replaces what it finds, and leaves nothing behind. The packages are local files, which stand in for the registry.
    expect() { # LINK launcher|javascript
      local real
      real=$(readlink -f "$1")
      case $2-$real in
        launcher-*/se-native-$platform/se | javascript-*/dist/cli.cjs) ;;
        *) echo "check-package: $1 leads to $real, and not to the $2" >&2; exit 1 ;;
      esac
      [ "$("$1" --version)" = "se $(node -p "require('$here/package.json').version")" ]
    }
    expect node_modules/.bin/se launcher
    npm exec --offline -- se --version >/dev/null
    npm rebuild --silent --ignore-scripts
    expect node_modules/.bin/se javascript
    PATH=$PWD/node_modules/.bin:$PATH node_modules/.bin/se setup native 2>/dev/null
    expect node_modules/.bin/se launcher
    npm rebuild --silent
    expect node_modules/.bin/se launcher
    npm install --silent --no-audit --no-fund --ignore-scripts "../$main"
    npm uninstall --silent --no-audit --no-fund se-native
    [ ! -e node_modules/.bin/se ] && [ ! -L node_modules/.bin/se ]
    global() { npm "$@" --silent --no-audit --no-fund --global --prefix "$work/global"; }
    # Global packages have what they depend on inside.
    mkdir "$work/nested" && tar -xzf "$work/$main" -C "$work/nested"
    node -e "const file = '$work/nested/package/package.json', { writeFileSync } = require('fs')
      writeFileSync(file, JSON.stringify({ ...require(file), optionalDependencies: { 'se-native-$platform': 'file:$work/$native' } }))"
    (cd "$work/nested/package" && npm pack --silent --ignore-scripts --pack-destination "$work/nested" >/dev/null)
    global uninstall se-native
    for _ in first again; do
      global install "$work/nested/$main"
      expect "$work/global/bin/se" launcher
    done
    global install --ignore-scripts "$work/nested/$main"
    expect "$work/global/bin/se" javascript
    global install "$work/nested/$main"
    global uninstall se-native
    [ ! -L "$work/global/bin/se" ]
    npm install --silent --no-audit --no-fund "../$main" "../$native"
    echo "works: se is the launcher, after npm install, npm rebuild, globally, and by se setup native; nothing is left of it" ;;
esac

ln -s "$here/node_modules/typescript" "$here/node_modules/@types" "$work/" 2>/dev/null || true
compile() {
  node "$here/node_modules/typescript/bin/tsc" --noEmit --strict --target es2022 --lib es2023,esnext.disposable \
    --types node --typeRoots "$here/node_modules/@types" "$@"
}
compile --module nodenext use.mts use.cts
compile --module node20 use.mts use.cts
compile --module esnext --moduleResolution bundler use.mts
echo "works: types with nodenext, node20 and bundler, without skipLibCheck"
