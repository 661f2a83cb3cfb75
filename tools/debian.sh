#!/bin/sh
# Make sure that programs are there: debian.sh PROGRAM=PACKAGE... Installs what is missing with apt-get where it may.
set -eu
missing=""
for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null 2>&1 || missing="$missing ${pair#*=}"
done
[ -z "$missing" ] && exit 0
exec 1>&2
sudo=""
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo="sudo -n"; else
        echo "Please install the Debian package(s)$missing (apt-get install$missing), then run make again."
        exit 1
    fi
fi
echo "Installing the Debian package(s)$missing"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    { echo "apt-get could not install$missing: please install them, then run make again."; exit 1; }
