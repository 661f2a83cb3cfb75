#!/bin/sh
# Make .venv from a committed lock file: bootstrap.sh run|dev. Everything it says goes to stderr.
set -eu
exec 1>&2
cd "$(dirname "$0")/.."
mkdir -p .tools
exec 9>.tools/turn
flock 9 # Two makes in one checkout take turns.

# `.installed` is written last and removed first. A .venv without it is half made; one that does not run this checkout's own
# code was copied, moved or lost its Python. Either is made anew. One of other locks is brought up to date where it is.
wanted=$(cat locks/run.txt locks/dev.txt pyproject.toml | sha256sum | cut -c1-16)
state=none
if .venv/bin/python -c 'import os, fonoteca; assert os.path.samefile(fonoteca.__path__[0], "src/fonoteca")' 2>/dev/null; then
    state=$(cat .venv/.installed 2>/dev/null || echo none)
fi
case "$state" in
"dev $wanted" | "$1 $wanted") exit 0 ;;
dev*) set -- dev ;; # What has the tools for development keeps them.
esac

sh tools/debian.sh python3=python3
python=$(command -v python3)
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "Fonoteca needs Python 3.11 or newer; $python is $("$python" -V)."; exit 1; }

[ "$state" != none ] || { rm -rf .venv; sh tools/uv.sh venv --quiet --python "$python" .venv; }
rm -f .venv/.installed
echo "Installing the packages of locks/$1.txt into .venv"
sync() { sh tools/uv.sh pip sync --quiet --python .venv/bin/python --require-hashes "$@"; }
sync --offline "locks/$1.txt" 2>/dev/null || sync "locks/$1.txt" # What uv has in its cache is not asked for again.
sh tools/uv.sh pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
echo "$1 $wanted" >.venv/.installed
