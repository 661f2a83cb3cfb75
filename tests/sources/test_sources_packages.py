from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fonoteca.edges import packages
from fonoteca.edges.packages import download_package
from fonoteca.model.errors import SourceError, UsageError


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program called apt-get first on the path, which does what a real one has been seen to do."""
    program = folder / "bin" / "apt-get"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_a_package_is_fetched_into_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, 'echo "$@" >args; echo whole >"asc-music_1.3-6_all.deb"')
    path = download_package("asc-music", tmp_path)
    assert (path.name, path.read_text()) == ("asc-music_1.3-6_all.deb", "whole\n")
    assert (tmp_path / "args").read_text().endswith("download -- asc-music\n")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("E: Unable to locate package nothing", "knows no such package"),
        ("E: Package 'x' has no installation candidate", "knows no such package"),
        (
            "E: Failed to fetch http://host.example/x.deb  Could not connect",
            "cannot be fetched: E: Failed to fetch the package's host",
        ),
        ("", "apt-get gave no reason"),
    ],
)
def test_what_apt_get_says_becomes_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, problem: str) -> None:
    pretend(tmp_path, monkeypatch, f'echo "{said}" >&2; exit 100')
    with pytest.raises(SourceError) as caught:
        download_package("x-music", tmp_path)
    assert problem in caught.value.problem
    assert "apt-get update" in caught.value.remedy


def test_success_without_a_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, "exit 0")
    with pytest.raises(SourceError):
        download_package("x-music", tmp_path)


def test_a_download_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "DOWNLOAD_TIMEOUT_S", 0.2)
    pretend(tmp_path, monkeypatch, "exec sleep 20")
    with pytest.raises(SourceError, match="not fetched within"):
        download_package("x-music", tmp_path)


def test_without_apt_get_a_file_can_be_given_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="no apt-get here") as caught:
        download_package("x-music", tmp_path)
    assert ".deb" in caught.value.remedy


@pytest.mark.parametrize("name", ["-o=x", "--help", "a b", "x=1", "x/stable", "x:amd64", "X", "", "a"])
def test_nothing_but_a_package_name_reaches_apt_get(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        download_package(name, tmp_path)


@pytest.mark.skipif(not shutil.which("apt-get"), reason="no apt-get here")
def test_the_real_apt_get_knows_no_such_package(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="knows no such package"):
        download_package("no-such-package-of-music", tmp_path)
