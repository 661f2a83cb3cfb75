"""What a page tells its player of a track that may be heard: where it is, what it is called, and how loud it is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from fonoteca.model.errors import FonotecaError
from fonoteca.register import FileRow
from fonoteca.serve.passage import Passage, judge_passage
from fonoteca.serve.paths import cover_url, file_url, listen_url, object_url, track_url, waveform_url
from fonoteca.serve.rooms import ServeRooms

REFERENCE_LUFS = -18.0
"""The loudness that ReplayGain 2.0 brings recordings to."""


@dataclass(frozen=True, slots=True)
class Playable:
    """A track with what its rights say. row: as the register has it. passage, quarantined: of its object."""

    row: FileRow
    passage: Passage
    quarantined: bool = False

    @property
    def heard(self) -> bool:
        """Whether it may be played here now, as far as is known before its bytes are asked for."""
        sound = self.row.duration_ms > 0 and not self.row.damage and not self.quarantined
        return sound and self.passage.lets(self.row.stored.hashes.sha256)

    @property
    def listen(self) -> str:
        """The address of it in another format, "" where its admission lets none be made."""
        row = self.row
        return listen_url(row.object_id, row.logical_path) if self.heard and self.passage.record.transcode else ""

    @property
    def facts(self) -> str:
        """All this as JSON, for the script that plays it."""
        row = self.row
        return json.dumps(
            {
                "file": file_url(row.object_id, row.logical_path),
                "listen": self.listen,
                "type": row.media_type,
                "codec": row.codec,
                "title": row.title,
                "artist": row.artist,
                "release": row.release,
                "page": track_url(row.object_id, row.logical_path),
                "releasePage": object_url(row.object_id),
                "cover": cover_url(row.object_id),
                "wave": waveform_url(row.object_id, row.logical_path),
                "ms": row.duration_ms,
                "gain": gain_db(row),
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )


def gain_db(row: FileRow) -> float | None:
    """Return by how many decibels to turn a track up or down, so that all sound alike and none clips; None if it is not known."""
    loudness = row.stored.probe.loudness if row.stored.probe else None
    if loudness is None or loudness.integrated_lufs is None:
        return None
    gain = REFERENCE_LUFS - loudness.integrated_lufs
    return round(min(gain, -loudness.sample_peak_dbfs) if loudness.sample_peak_dbfs is not None else gain, 1)


def playables(rooms: ServeRooms, rows: Iterable[FileRow]) -> list[Playable]:
    """Return those tracks whose rights can be read, with them. Cost: a look at each object and its rights."""
    known: dict[str, tuple[Passage, bool] | None] = {}
    found = []
    for row in rows:
        if row.object_id not in known:
            known[row.object_id] = _of_object(rooms, row)
        of_object = known[row.object_id]
        if of_object is not None:
            found.append(Playable(row, *of_object))
    return found


def _of_object(rooms: ServeRooms, row: FileRow) -> tuple[Passage, bool] | None:
    """Return what rights say of a track's object, and whether it is in quarantine."""
    owner = rooms.register.object(row.object_id)
    if owner is None or rooms.register.waits(row.object_id):
        return None
    try:
        return judge_passage(rooms, row.object_id), owner.quarantined_at is not None
    except FonotecaError:
        return None  # closed when in doubt: the release's own page says what is wrong with it
