"""Real audio with chosen tags, real .deb files made on the spot, and the real edges."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import mutagen
import pytest
from deb_builder import DebBuilder

from fonoteca.audio import read_tags
from fonoteca.edges.disk import DiskStaging
from fonoteca.edges.packages import download_package
from fonoteca.sources import SourceContext

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class StoppedClock:
    def now(self) -> datetime:
        return NOW


@pytest.fixture
def staging_root(tmp_path: Path) -> Path:
    return tmp_path / "staging"


@pytest.fixture
def context(staging_root: Path) -> SourceContext:
    return SourceContext(StoppedClock(), DiskStaging(staging_root), read_tags, download_package)


@pytest.fixture
def tagged(fixtures: Path, tmp_path: Path) -> Callable[..., bytes]:
    """Return a function that gives a short Vorbis file with these tags."""

    def make(**tags: str) -> bytes:
        path = tmp_path / "tagged.ogg"
        path.write_bytes((fixtures / "audio" / "mutagen" / "empty.ogg").read_bytes())
        file = mutagen.File(path)
        file.delete()
        for name, text in tags.items():
            file[name] = text
        file.save()
        return path.read_bytes()

    return make


@pytest.fixture
def picture(fixtures: Path) -> bytes:
    return (fixtures / "audio" / "mutagen" / "image.jpg").read_bytes()


@pytest.fixture
def deb(tmp_path: Path) -> DebBuilder:
    return DebBuilder(tmp_path)
