#!/bin/sh
# Make .venv from a committed lock file: bootstrap.sh run|dev. Everything it says goes to stderr.
set -eu
cd "$(dirname "$0")/.."
lock="locks/$1.txt"
stamp_of() { echo ".venv/.installed-$1-$(cat "locks/$1.txt" pyproject.toml | sha256sum | cut -c1-16)"; }
stamp=$(stamp_of "$1")
[ -e "$stamp" ] && exit 0
# What tests need has all that a run needs: installing it again would pull packages from under tests that call `make demo`.
[ "$1" = run ] && [ -e "$(stamp_of dev)" ] && exit 0
exec 1>&2

python=$(command -v python3) || sh tools/debian.sh python3=python3
python=$(command -v python3)
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "Fonoteca needs Python 3.11 or newer; $python is $("$python" -V)."; exit 1; }

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    uv=.tools/bin/uv
    if [ ! -x "$uv" ]; then
        "$python" -m pip --version >/dev/null 2>&1 || sh tools/debian.sh pip3=python3-pip
        echo "Fetching uv into .tools"
        "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
            --require-hashes --target .tools -r locks/uv.txt
    fi
fi
[ -x .venv/bin/python ] || "$uv" venv --quiet --python "$python" .venv
echo "Installing the packages of $lock into .venv"
"$uv" pip install --quiet --python .venv/bin/python --require-hashes -r "$lock"
"$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
touch "$stamp"
