"""The event of checks that found files sound, short enough to be kept for ever: whole version directories by object and number.

One event tells of a batch of checks made at one moment. A directory of which every file was checked takes a word; only files of
others are named one by one. Damage has events of its own, so what is named here was sound.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fonoteca.model.corridor import Event
from fonoteca.model.errors import FormatError

CHECKED = "checked"
CHECKS = "checks"
"""The subject of these events: all checks of an archive, for its calendar."""

VERSIONS_FACT, PATHS_FACT = "versions", "paths"
LOG_ONLY = frozenset({VERSIONS_FACT, PATHS_FACT})
"""Facts that the register does not keep beside the dates that it has from them."""


@dataclass(frozen=True, slots=True)
class Checklist:
    """Checks of one moment. versions: directories, by object id and number, whose files were all sound. paths: other sound files.

    file_count, checked_bytes: of all files checked. damaged_count: of those among them that were not sound.
    """

    at: datetime
    versions: tuple[tuple[str, int], ...]
    paths: tuple[str, ...]
    file_count: int
    checked_bytes: int
    damaged_count: int


def checked_event(checklist: Checklist) -> Event:
    """Return the event of these checks. Facts: files, bytes, damaged; versions: a line an object; paths: a line each."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for object_id, number in checklist.versions:
        numbers[object_id].append(number)
    lines = (" ".join((object_id, *map(str, sorted(found)))) for object_id, found in sorted(numbers.items()))
    facts: list[tuple[str, str | int | float]] = [
        ("files", checklist.file_count),
        ("bytes", checklist.checked_bytes),
        ("damaged", checklist.damaged_count),
    ]
    for name, text in ((VERSIONS_FACT, "\n".join(lines)), (PATHS_FACT, "\n".join(sorted(checklist.paths)))):
        facts += [(name, text)] if text else []
    return Event(checklist.at, CHECKED, CHECKS, tuple(facts))


def parse_checked(event: Event) -> Checklist:
    """Return the checks that an event tells of. Raises: FormatError."""
    facts: Mapping[str, str | int | float] = dict(event.facts)
    try:
        versions = tuple(_versions(str(facts.get(VERSIONS_FACT, "")).split("\n")))
        counts = [int(facts[name]) for name in ("files", "bytes", "damaged")]
    except (KeyError, ValueError) as error:
        raise FormatError(event.what, f"not an event of checks: {error!r}") from None
    paths = str(facts.get(PATHS_FACT, ""))
    return Checklist(event.at, versions, tuple(paths.split("\n")) if paths else (), *counts)


def _versions(lines: Sequence[str]) -> Iterable[tuple[str, int]]:
    for line in lines:
        object_id, _, numbers = line.partition(" ")
        yield from ((object_id, int(number)) for number in numbers.split())
