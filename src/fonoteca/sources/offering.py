"""What a source is, and what it is given to work with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fonoteca.model.audio import Tags
from fonoteca.model.corridor import Candidate
from fonoteca.ports import Clock, Staging


@dataclass(frozen=True, slots=True)
class SourceContext:
    """The outside world as sources see it.

    read_tags: the tags of one file; may raise AudioError. download_package: fetches the Debian package of this name into
    a folder and returns the .deb; may raise SourceError.
    """

    clock: Clock
    staging: Staging
    read_tags: Callable[[Path], Tags]
    download_package: Callable[[str, Path], Path]


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
