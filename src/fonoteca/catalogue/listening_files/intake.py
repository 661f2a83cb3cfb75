"""What becomes of the files of one import: each is told by its content, and its plays go to the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from fonoteca.catalogue.desk import LISTENING, Desk
from fonoteca.catalogue.listening_files import columns, sheets, zips
from fonoteca.catalogue.listening_files.documents import KNOWN, history_of, no_history
from fonoteca.catalogue.listening_files.jsonlines import entries_of, read_lines
from fonoteca.catalogue.listening_files.ledger import Ledger
from fonoteca.catalogue.listening_files.pieces import Piece, piece_of
from fonoteca.catalogue.listening_files.plays import Play, Plays, fitting, object_of, text_of, time_of, whole_number
from fonoteca.catalogue.tars import members
from fonoteca.model.errors import UsageError

DUMP = "listenbrainz"
POPULARITY = "listenbrainz-popularity"
OWN_LISTENBRAINZ = "my-listens-listenbrainz"
OWN_PANOSCROBBLER = "my-listens-panoscrobbler"

_SUFFIXES = frozenset({".listens", ".jsonl", ".json", ".csv", ".tsv", ".log", ".parquet"})
"""Members of archives that may be histories; pictures and descriptions are passed over unread."""
_SAMPLE_LINES = 50
_SAYING_BYTES_MAX = 64 << 10
_USTAR_AT, _USTAR = 257, b"ustar"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_PUBLIC_DOMAIN = re.compile(rb"cc0|public\s*domain", re.IGNORECASE)
_DUMP_FOLDER = re.compile(r"listenbrainz-[a-z]+-dump-[0-9-]+(-full|-incremental)?")
_DAY = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SAYINGS = frozenset({"TIMESTAMP", "END_TIMESTAMP", "SCHEMA_SEQUENCE", "COPYING"})


@dataclass(slots=True)
class _Tally:
    """How the members of an archive or folder fared. first: why the first was passed over."""

    taken: int = 0
    first: UsageError | None = None

    def check(self, subject: str) -> None:
        """Raise UsageError when nothing was read."""
        if not self.taken:
            raise self.first or UsageError(subject, "has no file of listens", KNOWN)


@dataclass(slots=True)
class Intake:
    """One import under way. names: of the sources that its files turned out to be, and the first file of each.

    public_domain: whether no dump came with another licence. without_counts: recordings whose popularity is not known.
    """

    desk: Desk
    ledger: Ledger
    names: dict[str, str] = field(default_factory=dict)
    dates: list[str] = field(default_factory=list)
    public_domain: bool = True
    without_counts: int = 0
    passed_over: int = 0

    def take_file(self, path: Path, label: str) -> None:
        """Read a file or folder that a person named. label: it, told without its name. Raises: UsageError, SourceError."""
        self.ledger.until("")
        if path.is_dir():
            self._take_folder(path, label)
        else:
            self._take_path(path, label)

    def _take_folder(self, folder: Path, label: str) -> None:
        """Read what was unpacked to a folder. What a dump says of itself is in capitals, and so before its listens."""
        tally = _Tally()
        for number, path in enumerate(sorted(path for path in folder.rglob("*") if path.is_file()), 1):
            if path.name in _SAYINGS:
                with self.desk.reading(path) as stream:
                    self._hear(path.name, stream.read(_SAYING_BYTES_MAX))
            elif _SUFFIXES & set(path.suffixes):
                self._offer(tally, partial(self._take_path, path, f"{label}, member {number}"))
        tally.check(str(folder))

    def _take_path(self, path: Path, label: str) -> None:
        head = self.desk.head(path)
        if head.startswith((zips.MAGIC, zips.EMPTY)):
            self._take_zip(path, label)
            return
        with self.desk.unpacked(path) as stream:
            if head[_USTAR_AT:].startswith(_USTAR):
                self._take_tar(stream, path, label)
            else:
                self._take(piece_of(stream, str(path), label), of_many=False)

    def _take_zip(self, path: Path, label: str) -> None:
        tally = _Tally()
        for number, (name, stream) in enumerate(zips.zip_members(path, self.desk), 1):
            if PurePosixPath(name).suffix.lower() in _SUFFIXES:
                piece = piece_of(stream, f"{path}: {name}", f"{label}, member {number}")
                self._offer(tally, partial(self._take, piece, of_many=False))
        tally.check(str(path))

    def _take_tar(self, stream: BinaryIO, path: Path, label: str) -> None:
        tally = _Tally()
        for number, member in enumerate(members(stream, str(path)), 1):
            name = PurePosixPath(member.name)
            if name.name in _SAYINGS:
                self._hear(name.name, member.stream.read(_SAYING_BYTES_MAX))
            elif name.suffix.lower() in _SUFFIXES and member.member_bytes:
                shown = member.name if _DUMP_FOLDER.fullmatch(name.parts[0]) else f"{label}, member {number}"
                piece = piece_of(member.stream, f"{path}: {member.name}", shown)
                self._offer(tally, partial(self._take, piece, of_many=True))
        tally.check(str(path))

    def _offer(self, tally: _Tally, take: Callable[[], None]) -> None:
        """Read a member, or pass over what is no history: archives have other things too."""
        try:
            take()
        except UsageError as refusal:
            if len(self.names) > 1:
                raise
            self.passed_over += 1
            tally.first = tally.first or refusal
        else:
            tally.taken += 1

    def _hear(self, name: str, saying: bytes) -> None:
        """Keep what a dump says of itself. Source: listenbrainz-server `listenbrainz/dumps/exporter.py`, write_dump_metadata."""
        if name == "COPYING":
            self.public_domain &= bool(_PUBLIC_DOMAIN.search(saying))
        elif name == "SCHEMA_SEQUENCE" and saying.strip().isdigit():
            self.desk.note("schema_sequence", int(saying))
        elif name.endswith("TIMESTAMP") and (day := _DAY.match(saying)):
            self.dates.append(day[0].decode())
            self.ledger.until(self.dates[-1])

    def _take(self, piece: Piece, of_many: bool) -> None:
        """Read a piece. of_many: whether its lines are of many listeners, whatever the first says."""
        if not piece.head:
            raise UsageError(piece.subject, "is empty", KNOWN)
        if piece.head.startswith(_UTF_16):
            raise UsageError(piece.subject, "is UTF-16 text", "Save it as UTF-8.")
        if piece.head.startswith(columns.MAGIC):
            self._take_columns(piece)
        elif piece.text_head.lstrip()[:1] in ("{", "[") or piece.head.lstrip()[:1] in (b"{", b"["):
            self._take_json(piece, of_many)
        else:
            self._take_text(piece)

    def _called(self, name: str, piece: Piece) -> None:
        """Keep what a file is. Raises: UsageError when the files are not all of one source."""
        self.names.setdefault(name, piece.subject)
        if len(self.names) > 1:
            other, at = next(iter(self.names.items()))
            raise UsageError(piece.subject, f"is {name}, but {at} is {other}", "Import each source in a call of its own.")

    def _take_columns(self, piece: Piece) -> None:
        with columns.columns_of(piece, self.desk) as found:
            if {"listened_at", "artist_name", "recording_name"} <= found.names:
                self._called(DUMP, piece)
                columns.read_plays(found, self.ledger, piece.label)
            elif {"recording_mbid", "total_listen_count"} <= found.names:
                self._called(POPULARITY, piece)
                self.without_counts += columns.read_counts(found, self.desk, piece.label)
            else:
                raise no_history([dict.fromkeys(found.names)], piece.subject)

    def _take_json(self, piece: Piece, of_many: bool) -> None:
        sample = [entry for line in piece.text_head.split("\n", _SAMPLE_LINES)[:_SAMPLE_LINES] if (entry := _object_in(line))]
        listen = next((entry for entry in sample if "track_metadata" in entry), None)
        if listen:
            alone = not of_many and not {"user_id", "user_name"} & set(listen)
            self._called(OWN_LISTENBRAINZ if alone else DUMP, piece)
            read_lines(piece, self.ledger, alone)
        elif any("timeMs" in entry for entry in sample):
            self._called(OWN_PANOSCROBBLER, piece)
            self._put(((line, fitting(_pano_play, entry)) for line, entry in entries_of(piece, self.ledger)), piece)
        elif _is_counts(sample):
            self._lay_counts(piece, ((line, object_of(entry)) for line, entry in entries_of(piece, self.ledger)))
        elif len(sample) > 1:
            raise no_history(sample, piece.subject)
        else:
            self._take_document(piece)

    def _take_document(self, piece: Piece) -> None:
        document = piece.document()
        if isinstance(document, list) and _is_counts([object_of(entry) for entry in document[:_SAMPLE_LINES]]):
            self._lay_counts(piece, ((number, object_of(entry)) for number, entry in enumerate(document, 1)))
            return
        history = history_of(document, piece.subject)
        self._called(history.name, piece)
        if history.date:
            self.dates.append(history.date)
        self._put(history.plays, piece)

    def _take_text(self, piece: Piece) -> None:
        if piece.text_head.startswith(sheets.SCROBBLER_LOG):
            self._called("my-listens-scrobbler-log", piece)
            self._put(sheets.scrobbler_plays(piece), piece)
            return
        sheet = sheets.sheet_of(piece)
        if sheet is None:
            raise UsageError(piece.subject, "no line names columns that are known, such as artist, track and time", KNOWN)
        if sheet.name == POPULARITY:
            self._lay_counts(piece, sheets.counts_of(piece, sheet, self.ledger))
            return
        self._called(sheet.name, piece)
        self._put(sheets.plays_of(piece, sheet), piece)

    def _put(self, plays: Plays, piece: Piece) -> None:
        for line, play in plays:
            self.ledger.put(line, play, piece.label)
        self.ledger.flush(piece.label)

    def _lay_counts(self, piece: Piece, rows: Iterable[tuple[int, dict[str, Any]]]) -> None:
        """Lay popularity on the desk. The web interface answers null for recordings of which it has no listens."""
        self._called(POPULARITY, piece)
        with self.desk.table(LISTENING, ("id", "listens", "listeners"), piece.label) as table:
            for line, row in rows:
                if row.get("total_listen_count") in (None, "") and row.get("recording_mbid"):
                    self.without_counts += 1
                else:
                    table.put(line, [row.get(name) for name in columns.POPULARITY])


def _is_counts(sample: list[dict[str, Any]]) -> bool:
    return any({"recording_mbid", "total_listen_count"} <= set(entry) for entry in sample)


def _object_in(line: str) -> dict[str, Any]:
    """Return the JSON object that a line is, an empty one when it is none."""
    try:
        return object_of(json.loads(line, parse_int=whole_number))
    except (ValueError, RecursionError):
        return {}


def _pano_play(entry: dict[str, Any]) -> Play:
    """Return the play of a line of PanoScrobbler's export; `event` may also say that a track was loved."""
    if entry.get("event", "scrobble") != "scrobble":
        return Play(left_out="no scrobble")
    return Play(
        at=time_of(entry.get("timeMs"), per_second=1000),
        artist=text_of(entry.get("artist"), "artist"),
        title=text_of(entry.get("track"), "title"),
    )
