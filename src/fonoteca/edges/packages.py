"""Debian packages, fetched by the system's own apt-get, which checks their signatures and digests."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from fonoteca.model.errors import SourceError, UsageError

DOWNLOAD_TIMEOUT_S = 1800
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""Debian Policy 5.6.1. Nothing that apt-get would take for an option, a version or an architecture."""


def download_package(name: str, folder: Path) -> Path:
    """Return the .deb of a package, fetched into a folder of its own or one that holds no other file of this package.

    Raises: UsageError for what is no package name, SourceError when apt-get is missing, knows no such package or fails.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(name, "is not the name of a Debian package", "Names are like `asc-music`")
    # Sandbox::User: as root, apt would drop to a user that may not write into the staging folder, and complain.
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2", "download", "--", name]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DOWNLOAD_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        if not folder.is_dir():
            raise SourceError(str(folder), "is not there to download into", "Run the same command again") from error
        raise SourceError(name, "cannot be fetched: there is no apt-get here", "Give the path of a .deb file instead") from error
    except subprocess.TimeoutExpired as error:
        raise SourceError(
            name, f"was not fetched within {DOWNLOAD_TIMEOUT_S} s", "Check the network, then run the same command again"
        ) from error
    found = sorted(folder.glob(f"{name}_*.deb"))
    if done.returncode != 0 or not found:
        raise _failure(name, done.stderr.decode("utf-8", "replace"))
    return found[-1]


def _failure(name: str, said: str) -> SourceError:
    """Return the error for what apt-get said. Its own words are kept, but for the addresses of hosts."""
    lines = [line.strip() for line in said.splitlines() if line.startswith(("E:", "W:", "Err:"))]
    words = re.sub(r"https?://\S+", "the package's host", " ".join(lines[-2:])) or "apt-get gave no reason"
    if "Unable to locate package" in said or "has no installation candidate" in said or "Can't select" in said:
        return SourceError(name, "apt-get knows no such package", "Check its name, and run `apt-get update` if it is new")
    return SourceError(
        name, f"cannot be fetched: {words}", "Check the network and run `apt-get update`, then the same command again"
    )
