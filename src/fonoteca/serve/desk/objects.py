"""The desk's page of what is held: what it is called, and the forms to put that right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fonoteca.formats.corrections import FILE_FIELDS, ITEM, ITEM_FIELDS, changes_from, correcting_order, values
from fonoteca.model.desk import Entry
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.register import FileRow, ObjectRow, recording_of
from fonoteca.serve.desk.frame import DESK, Frame, number_of, status_of, to_entry, words_of
from fonoteca.serve.desk.uploads import cover_upload_url
from fonoteca.serve.paths import object_id_of, object_url, raw_parts
from fonoteca.serve.problems import Problem

OBJECTS = f"{DESK}/objects/"
TRACKS_SHOWN_MOST = 500
"""More are put right from a table: `fonoteca correct --from`."""

ALIKE_FIELDS = ("artist", "album", "album_artist", "date", "genre")
"""What the files of a release mostly have alike. An empty field leaves them as they are."""

LABELS: Mapping[str, str] = {
    "title": "Title",
    "artist": "Artist",
    "album": "Release",
    "album_artist": "Artist of the release",
    "track_number": "Track",
    "disc_number": "Disc",
    "date": "Date",
    "genre": "Genre",
    "isrcs": "ISRC",
    "recording_mbid": "MusicBrainz recording",
}
_HINTS: Mapping[str, str] = {
    "date": "YYYY, YYYY-MM or YYYY-MM-DD",
    "isrcs": "Such as DEXX02400001, several with commas between",
    "recording_mbid": "Its UUID",
}


def desk_object_url(object_id: str) -> str:
    """Return the address of the desk's page of an object."""
    return f"{DESK}{object_url(object_id)}"


class ObjectPages:
    """The routes of what is held."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._register = frame, frame.rooms.register

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(f"{OBJECTS}{{rest:rest}}", self.show, methods=["GET"]),
            Route(f"{OBJECTS}{{rest:rest}}", self.correct, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Return the page of an object. `file` of the query opens the form of one of its files."""
        return await self._page(request, _object_id(request), {"file": request.query_params.get("file", "")})

    async def correct(self, request: Request) -> Response:
        """Return the way to the entry of a correction, or the form again with what is wrong with it."""
        fields = await self._frame.fields(request)
        object_id, of = _object_id(request), fields.get("file", "")
        try:
            row, files = self._held(object_id)
            known = values(row.title, row.artist, [each.stored for each in files])
            changes = changes_from(object_id, known, _right(fields, of, files))
            order = correcting_order(object_id, changes, fields.get("reason", ""))
            entry = await self._frame.put(request, order, number_of(fields.get("seen", ""), "entry"))
        except UsageError as error:
            return await self._page(request, object_id, {"file": of, "wrong": words_of(error), "sent": fields}, status_of(error))
        return to_entry(entry)

    async def _page(self, request: Request, object_id: ObjectId, more: Mapping[str, Any], status: int = 200) -> Response:
        def facts() -> Mapping[str, Any]:
            row, files = self._held(object_id)
            of = next((each for each in files if each.logical_path == more["file"]), None)
            return {
                "row": row,
                "tracks": files[:TRACKS_SHOWN_MOST],
                "track_count": len(files),
                "chosen": of,
                "corrections": self._frame.rooms.store.metadata(object_id).corrections,
                "versions": self._register.versions(object_id),
                "entries": self._told(object_id),
                "seen": self._frame.docket.seen(object_id),
                "own_recording": recording_of(object_id, of.stored) if of is not None else "",
                "known": values(row.title, row.artist, [each.stored for each in files]),
                "item_fields": ITEM_FIELDS,
                "file_fields": FILE_FIELDS,
                "alike_fields": ALIKE_FIELDS,
                "labels": LABELS,
                "hints": _HINTS,
                "cover_upload_url": cover_upload_url,
                "own_url": desk_object_url(object_id),
                "suggested": self._frame.side.likely(of) if of is not None and of.stored.tags else None,
                **more,
                "sent": {"part": "", "reason": "", **more.get("sent", {})},
            }

        return await self._frame.page(request, "desk_object.html", facts, status)

    def _held(self, object_id: ObjectId) -> tuple[ObjectRow, list[FileRow]]:
        """Return an object and its files. Raises: Problem, 404."""
        row = self._register.object(object_id)
        if row is None or row.item is None:
            raise Problem(404, "Nothing is held under this id.", "unknown")
        return row, self._register.files(object_id)

    def _told(self, object_id: ObjectId) -> Sequence[tuple[Entry, str, str]]:
        """Return the entries about an object, newest first, with what each is called and who put it down."""
        found = self._frame.docket.about(object_id)[::-1]
        return [(each, self._frame.called(each), self._frame.name_of(each.by)) for each in found]


def _right(fields: Mapping[str, str], of: str, files: Sequence[FileRow]) -> dict[tuple[str, str], str]:
    """Return the values that a form says are right, by (file or ITEM, field)."""
    said = {name: value.strip() for name, value in fields.items()}
    if of:
        return {(of, name): said[name] for name in FILE_FIELDS if name in said}
    if fields.get("part") == "alike":
        alike = {name: said[name] for name in ALIKE_FIELDS if said.get(name)}
        return {(str(each.logical_path), name): value for each in files if each.stored.tags for name, value in alike.items()}
    return {(ITEM, name): said[name] for name in ITEM_FIELDS if name in said}


def _object_id(request: Request) -> ObjectId:
    """Return which object a request is about. Raises: Problem, 404."""
    parts = raw_parts(request, OBJECTS)
    found = object_id_of("/".join(parts)) if parts else None
    if found is None:
        raise Problem(404, "There is no such object here.", "unknown")
    return found
