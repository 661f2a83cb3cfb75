#!/bin/sh
# Write locks/*.txt anew: names, versions and hashes only, never where they were downloaded from.
# Versions that still fit are kept; lock.sh --upgrade takes the newest.
set -eu
cd "$(dirname "$0")/.."
compile() {
    sh tools/uv.sh pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
        --python-version 3.11 "$@"
}
compile pyproject.toml --extra many --group dev -o locks/dev.txt "$@"
compile pyproject.toml --group build -c locks/dev.txt -o locks/run.txt "$@"
echo uv | compile - -o locks/uv.txt "$@"
