"""Where a dump's members come from: archives as MusicBrainz publishes them, or the folder they unpack to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fonoteca.catalogue.desk import Desk
from fonoteca.catalogue.tars import Member, members
from fonoteca.model.errors import SourceError, UsageError

_ENDINGS = (".tar.bz2", ".tar.xz", ".tar.zst", ".tar.gz", ".tar")
_FACTS = ("TIMESTAMP", "SCHEMA_SEQUENCE", "REPLICATION_SEQUENCE", "JSON_DUMPS_SCHEMA_NUMBER")
_FACT_BYTES_MAX = 256
_TAKEN = ("mbdump", "mbdump-derived")
"""Of a folder of archives, these hold what recordings are made of."""


@dataclass(frozen=True, slots=True)
class Part:
    """A member of the dump's `mbdump/`, or one of the small files beside it. source: the path that holds it, for people."""

    source: Path
    member: Member

    @property
    def table(self) -> str:
        """What comes after `mbdump/`, "" for other members."""
        folder, _, name = self.member.name.rpartition("/")
        return name if folder.rpartition("/")[2] == "mbdump" else ""


class Facts:
    """What the small files beside the tables say, the same in all archives of one dump."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def take(self, part: Part) -> bool:
        """Keep what a member says. Returns: whether it is one of the small files.

        Raises: SourceError when another archive said otherwise; TIMESTAMP alone may differ between JSON dumps.
        """
        name = part.member.name.rpartition("/")[2]
        if part.table or name not in _FACTS:
            return False
        text = part.member.stream.read(_FACT_BYTES_MAX).decode("utf-8", "replace").strip()
        known = self._texts.setdefault(name, text)
        if known != text and name.endswith("SEQUENCE"):
            raise SourceError(
                f"{part.source}: {name}",
                f"expected {known} as in the other archive, found {text}",
                "Nothing was imported; name archives of one and the same dump.",
            )
        return True

    def number(self, name: str) -> int | None:
        """Return a small file's whole number, None when there is none."""
        text = self._texts.get(name, "")
        return int(text) if text.isdigit() and len(text) < 10 else None

    @property
    def date(self) -> str:
        """The day of the dump, as in 2026-05-20; "" when it does not say."""
        day = self._texts.get("TIMESTAMP", "")[:10]
        return day if len(day) == 10 and day[4] == day[7] == "-" and day.replace("-", "").isdigit() else ""


def is_archive(path: Path) -> bool:
    """Return whether the name is that of a tar archive."""
    return any(path.name.lower().endswith(ending) for ending in _ENDINGS)


def parts(paths: Sequence[Path], desk: Desk, wanted: Collection[str]) -> Iterator[Part]:
    """Yield the members of the archives and folders, each to be read before the next; the small files of a folder come first.

    wanted: what to open in a folder's `mbdump/`; an archive's members come all.
    Raises: UsageError for what is neither, SourceError for a broken archive.
    """
    for path in paths:
        if path.is_dir():
            yield from _folder(path, desk, wanted)
        elif is_archive(path):
            yield from _archive(path, desk)
        else:
            raise UsageError(
                str(path), f"expected a folder or a name ending in {', '.join(_ENDINGS)}", "Name a dump of MusicBrainz."
            )


def _archive(path: Path, desk: Desk) -> Iterator[Part]:
    with desk.unpacked(path) as stream:
        for member in members(stream, path.name):
            yield Part(path, member)


def _folder(path: Path, desk: Desk, wanted: Collection[str]) -> Iterator[Part]:
    if path.name == "mbdump" and not (path / "mbdump").is_dir():
        path = path.parent
    if not (path / "mbdump").is_dir():
        archives = [found for name in _TAKEN for ending in _ENDINGS if (found := path / f"{name}{ending}").is_file()]
        if not archives:
            raise UsageError(str(path), "holds neither mbdump/ nor mbdump.tar.bz2", "Name the folder that a dump was unpacked to.")
        for archive in archives:
            yield from _archive(archive, desk)
        return
    small = [path / name for name in _FACTS]
    for file in filter(Path.is_file, [*small, *(path / "mbdump" / name for name in sorted(wanted))]):
        with _opened(file, path, desk) as member:
            yield Part(path, member)


@contextmanager
def _opened(file: Path, folder: Path, desk: Desk) -> Iterator[Member]:
    with desk.reading(file) as stream:
        yield Member(file.relative_to(folder).as_posix(), file.stat().st_size, stream)
