"""What the desk's pages need beside the rooms that every page asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fonoteca.model.catalogue import Suggested
from fonoteca.model.desk import Order
from fonoteca.ports import Staging
from fonoteca.register import FileRow


@dataclass(frozen=True, slots=True)
class DeskSide:
    """The other side of the desk: where what is put down gets carried out.

    actions: what actions are called on pages, by name. undone: what undoing them does, in words.
    check: raises UsageError for an order that no action takes. undoing: gives the order that takes an entry back, from its number
        and the reason; raises UsageError for one that cannot be.
    raw: the first bytes behind a salted digest of evidence and how many there are, None where none are kept.
    uploads: where files of uploads wait, a folder each.
    likely: which recording a held file may be. nudge: says that something was put down.
    writer: who writes in the archive now, in words, "" for nobody.
    """

    actions: Mapping[str, str]
    undone: Mapping[str, str]
    check: Callable[[Order], object]
    undoing: Callable[[int, str], Order]
    raw: Callable[[str, int], tuple[bytes, int] | None]
    uploads: Staging
    likely: Callable[[FileRow], Suggested] = lambda _file: Suggested(None, ())
    nudge: Callable[[], object] = lambda: None
    writer: Callable[[], str] = lambda: ""
