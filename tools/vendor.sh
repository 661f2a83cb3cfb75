#!/bin/sh
# Fetch what browsers run that is not ours, at fixed versions, from the npm registry: `sh tools/vendor.sh`. Needs npm.
# What it writes is kept in the repository, so that neither the site nor its tests need a network.
set -eu
cd "$(dirname "$0")/.."
vega=src/fonoteca/serve/static/vega
axe=tests/serve/axe
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch() { # NAME VERSION SHA256-OF-THE-PACKAGE
    (cd "$work" && npm pack --silent "$1@$2" >/dev/null)
    echo "$3  $work/$1-$2.tgz" | sha256sum --check --quiet
    mkdir "$work/$1"
    tar -xzf "$work/$1-$2.tgz" -C "$work/$1" --strip-components 1
}

fetch vega 6.4.0 3521fb6ff68a94a40323954f0ba4484ba4014b157bfd37f89a3b063082320c42
fetch vega-lite 6.5.0 811230a6bfd2cdbfc359d0c38f624a90df86657b7f251b67be88bcc4eee32b7f
fetch vega-interpreter 2.3.2 b83489633c1320e9d6f839781f0c84c661a5ca2666fe38cb83f7c52a531fffec
fetch axe-core 4.14.1 e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745

mkdir -p "$vega" "$axe"
sed '/^\/\/# sourceMappingURL=/d' "$work/vega/build/vega.min.js" >"$vega/vega.min.js"
sed '/^\/\/# sourceMappingURL=/d' "$work/vega-lite/build/vega-lite.min.js" >"$vega/vega-lite.min.js"
# The interpreter is published as a module alone; here it is a script that finds its helpers in Vega.
{
    echo '/* vega-interpreter 2.3.2, BSD-3-Clause, see LICENSE; changed: a script instead of a module. */'
    echo '(() => {'
    sed -e "s/^import \({.*}\) from 'vega-util';/const \1 = vega;/" -e 's/^export { expression as expressionInterpreter };/globalThis.vegaInterpreter = { expressionInterpreter: expression };/' \
        -e '/^\/\/# sourceMappingURL=/d' "$work/vega-interpreter/build/vega-interpreter.js"
    echo '})();'
} >"$vega/vega-interpreter.js"
cp "$work/vega/LICENSE" "$vega/LICENSE"
cp "$work/axe-core/axe.min.js" "$work/axe-core/LICENSE" "$axe/"
