#!/bin/sh
# Run uv: the one on the PATH, or else the one that locks/uv.txt pins, which pip fetches into .tools.
set -eu
cd "$(dirname "$0")/.."
if ! uv=$(command -v uv); then
    uv=.tools/bin/uv
    if ! cmp -s locks/uv.txt .tools/uv.txt; then
        sh tools/debian.sh pip3=python3-pip
        echo "Fetching uv into .tools" >&2
        # Some people's settings for pip (install for the user, refuse outside an environment) forbid --target.
        PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
            pip3 install --quiet --upgrade --require-hashes --target .tools -r locks/uv.txt
        cp locks/uv.txt .tools/uv.txt
    fi
fi

# Where pip reaches a registry, uv shall too: the same index, and the certificates that the system trusts.
index=${PIP_INDEX_URL:-$(pip3 config list 2>/dev/null | sed -n "s/^global\.index-url='\(.*\)'$/\1/p")}
[ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"
# Without a home to write to, uv keeps its cache here.
[ -w "${XDG_CACHE_HOME:-${HOME:-/}}" ] || export UV_CACHE_DIR="${UV_CACHE_DIR:-.tools/cache}"
exec "$uv" "$@"
