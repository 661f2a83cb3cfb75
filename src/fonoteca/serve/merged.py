"""The files that hold a recording, also where the catalogue found it to be the same as another that is held."""

from __future__ import annotations

from fonoteca.register import FileRow
from fonoteca.serve.rooms import ServeRooms


def files_holding(rooms: ServeRooms, recording_id: str, held: bool) -> list[FileRow]:
    """Return the files that hold a recording. held: whether the catalogue says so: only then its other ids are asked for.

    Cost: one question to the register; where it has nothing under the recording's own id, four small reads, two row groups and a
    question for each other id of it.
    """
    rows = rooms.register.files_of_recording(recording_id)
    if rows or not held:
        return rows
    recording = rooms.catalogue.recording(recording_id)
    if recording is None:
        return []
    others = dict.fromkeys(row.id for row in rooms.catalogue.rows_of(recording) if row.id != recording_id)
    return [row for other in others for row in rooms.register.files_of_recording(other)]
