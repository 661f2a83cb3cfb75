#!/bin/sh
# Make sure that programs, libraries and files are there: debian.sh NAME=PACKAGE... Installs what is missing with apt-get where it
# may. A NAME with a `/` is a pattern of file names.
set -eu
exec 1>&2
have() {
    case "$1" in
    */*) ls $1 ;;
    *) command -v "$1" || /sbin/ldconfig -p | grep -F "$1 " ;;
    esac
}
missing=""
for pair in "$@"; do
    have "${pair%%=*}" >/dev/null 2>&1 || missing="$missing ${pair#*=}"
done
[ -n "$missing" ] || exit 0

advice="please run \"apt-get install$missing\" as root, then make again."
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo -n"
{ command -v apt-get && $sudo true; } >/dev/null 2>&1 || { echo "Fonoteca needs$missing from Debian: $advice"; exit 1; }

# An update may fail in part and the package be found all the same; another apt-get may be at work.
install() {
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends $missing
}
echo "Installing from Debian:$missing"
said=$(install 2>&1) || { echo "$said" | tail -n 5; echo "apt-get could not install$missing: $advice"; exit 1; }
