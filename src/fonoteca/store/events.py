"""The event log: append-only segments in the `logs` folder of one object.

OCFL 1.1 section 3.8 gives `logs` for records of actions, leaves its format to us, and validators pass it by. So an event
costs one small durable file; a version of an object for each would cost seven.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from fonoteca.formats import eventlog, ocfl
from fonoteca.formats.hashing import hash_bytes
from fonoteca.model.corridor import Event, MemberFile
from fonoteca.model.errors import FixityError, FormatError, StoreError, UsageError
from fonoteca.model.ids import LogicalPath
from fonoteca.store import fixity
from fonoteca.store.commit import commit_document
from fonoteca.store.logs import EVENTS, LOGS, newest_folder, segment_keys
from fonoteca.store.root import DAMAGED_REMEDY, Root

_ABOUT = """This object holds the archive's event log.

Its folder `logs` has a file for each batch of events, `yyyy/mm/dd/hhmmss.ffffff-<sha256>.jsonl`: JSON Lines, one event a
line with `at`, `what`, `subject` and `facts`. A file's name holds the time of its first event and the SHA-256 of its
bytes. Files are never changed; all of them in order of name are the log.
"""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of the log. path: below the storage root. damage: why its bytes are not those of its name, "" when they are."""

    path: str
    events: tuple[Event, ...]
    damage: str


def make_log(root: Root) -> None:
    """Make the log's object if it is missing."""
    if root.blobs.size(f"{ocfl.object_path(EVENTS)}/{ocfl.SIDECAR}") is None:
        commit_document(root, EVENTS, {LogicalPath("about.txt"): _ABOUT.encode()}, "Begin the event log")


def append_events(root: Root, events: Sequence[Event], after: datetime | None) -> datetime:
    """Append events, at least one, as one segment that is durable on return. The same events as the last ones change nothing.

    after: the moment of the log's last segment, None for an empty log: the new one is named later than it, whatever the clock says,
    so that what was appended last is always the last by name. Returns: the moment of the new one.
    """
    content = eventlog.segment(events)
    name = eventlog.segment_name(events, content, after)
    key = f"{LOGS}/{name}"
    if not root.blobs.create(key, content) and root.blobs.read(key) != content:
        raise StoreError(key, "the segment is there with other bytes than its name says", DAMAGED_REMEDY)
    return eventlog.moment_of(name)


def log_end(root: Root) -> datetime | None:
    """Return the moment of the log's last segment, None of an empty log. Cost: four listings."""
    names = _newest_names(root)
    return eventlog.moment_of(names[-1]) if names else None


def segments(root: Root) -> Iterator[Segment]:
    """Yield the segments of the log in the order in which they were appended. Cost: one read of each."""
    return (_segment(root, key) for key in segment_keys(root))


def damaged_files(root: Root) -> list[str]:
    """Return the damaged files of the log's own object, by path; the object's path when nothing is left that could say which."""
    try:
        return [damage.member.path for damage in fixity.audit(root, EVENTS, {})]
    except (FixityError, FormatError, UsageError):
        return [ocfl.object_path(EVENTS)]


def mend_files(root: Root) -> list[str]:
    """Restore the files of the log's own object, whose content is known here. Returns: the paths mended."""
    mended = fixity.mend(root, EVENTS)
    for path in damaged_files(root):
        if path.startswith(f"{ocfl.object_path(EVENTS)}/v1/content/"):
            content = _ABOUT.encode()
            fixity.heal(root, MemberFile(path, hash_bytes(content, root.piece_bytes)), {0: content})
            mended.append(path)
    return mended


def newest_events(root: Root) -> list[Event]:
    """Return the events of the newest moment in the log: what a kill may have kept from the register. Cost: four listings.

    A damaged segment is passed over here; an audit names it.
    """
    names = _newest_names(root)
    moment = names[-1].partition("-")[0] if names else ""
    newest = (_segment(root, f"{LOGS}/{name}") for name in names if name.startswith(f"{moment}-"))
    return [event for segment in newest for event in segment.events]


def _newest_names(root: Root) -> list[str]:
    """Return the names of the newest day's segments, in order. What else lies there is an audit's matter."""
    folder = newest_folder(root)
    names = (f"{folder}/{name}".removeprefix(f"{LOGS}/") for name in root.blobs.children(folder))
    return [name for name in names if eventlog.is_segment_name(name)]


def _segment(root: Root, key: str) -> Segment:
    """Return a segment, with no events and the damage told when its bytes are not those of its name."""
    try:
        return Segment(key, tuple(eventlog.parse_segment(key.removeprefix(f"{LOGS}/"), root.blobs.read(key))), damage="")
    except (FormatError, StoreError) as error:
        return Segment(key, (), damage=error.problem)
