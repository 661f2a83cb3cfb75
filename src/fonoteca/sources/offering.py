"""What a source is, and what it is given to work with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from fonoteca.model.audio import Tags
from fonoteca.model.corridor import Candidate, Want
from fonoteca.model.ids import ItemKey, LogicalPath
from fonoteca.model.rights import Evidence, Kind
from fonoteca.ports import Clock, Staging, Web
from fonoteca.sources.remote import Offline


@dataclass(frozen=True, slots=True)
class SourceContext:
    """The outside world as sources see it.

    read_tags: the tags of one file; may raise AudioError. download_package: fetches the Debian package of this name into
    a folder and returns the .deb; may raise SourceError. web: hosts that are not ours. seen: documents that a kind has read in this
    run and keeps for its next question, by kind and address.
    """

    clock: Clock
    staging: Staging
    read_tags: Callable[[Path], Tags]
    download_package: Callable[[str, Path], Path]
    web: Web = field(default_factory=Offline)
    seen: dict[tuple[str, str], object] = field(default_factory=dict)


class Source(Protocol):
    """One kind of place where music may be had. Stateless: everything it works with is in the context."""

    @property
    def kind(self) -> str:
        """The word for it on the command line, which also starts the keys of its items."""
        ...

    def candidates(self, ref: str, context: SourceContext) -> Iterator[Candidate]:
        """Yield what a reference offers, in a stable order; nothing is decided here and nothing of the source is changed.

        Files that are not offered are named in `left_out` of an item's first candidate; an item of which nothing can be
        offered is one candidate without files. Raises: UsageError for a wrong reference, SourceError for an unreadable one.
        """
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """Where a want may be. ref: for `candidates`. url: of the file that is it, "" where only the names of the files can tell."""

    ref: str
    url: str = ""


@runtime_checkable
class Remote(Source, Protocol):
    """A kind that asks hosts that are not ours."""

    def begins(self, ref: str) -> str:
        """Return the address that `candidates` asks for first, without asking. Raises: UsageError for a wrong reference."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """What an object's record keeps of where it came from. told_at: where its source said what it says of the rights.

    names: of the files, as they are held.
    """

    item: ItemKey
    kind: Kind
    told_at: str
    names: tuple[LogicalPath, ...]


@runtime_checkable
class Restating(Source, Protocol):
    """A kind that can be asked again what it says of the rights in something that is held."""

    def asked_again(self, held: Held) -> str:
        """Return the address that would be asked, "" where the record does not lead to one."""
        ...

    def said_again(self, held: Held, context: SourceContext) -> tuple[Evidence, ...]:
        """Return what the source says of the rights now, none where it says nothing.

        Raises: SourceMissing when it has the item no more, SourceRefused when it gives it to nobody, SourceError.
        """
        ...


@runtime_checkable
class Finder(Source, Protocol):
    """A kind that can look for a want at a place."""

    def find(self, want: Want, place: str, context: SourceContext) -> Iterator[Found]:
        """Yield where at a place a want may be, the likeliest first; few, and none where none has it.

        place: as the settings name it, an address and what is declared for it. May ask the place, within limits.
        """
        ...

    def asks(self, want: Want, place: str) -> Iterator[str]:
        """Yield the addresses that looking for a want begins with, without asking any of them: for `--dry-run`."""
        ...
