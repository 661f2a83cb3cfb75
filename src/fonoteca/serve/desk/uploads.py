"""The desk's pages of uploads: first the files, then what is said of them, then it is put down."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fonoteca.audio import read_tags
from fonoteca.formats.uploads import Brought, is_key, subject_of, upload_order
from fonoteca.model.audio import Tags
from fonoteca.model.desk import EntryState
from fonoteca.model.errors import AudioError, UsageError
from fonoteca.model.ids import ItemKey, ObjectId
from fonoteca.model.rights import Act, Kind, Scheme
from fonoteca.register import ObjectRow
from fonoteca.rights import find_licence
from fonoteca.serve.desk.frame import DESK, Frame, curator, number_of, status_of, to_entry, words_of
from fonoteca.serve.desk.receiving import FILES_MAX, UPLOAD_BYTES_MAX, receive
from fonoteca.serve.desk.review import families
from fonoteca.serve.problems import Problem
from fonoteca.serve.signing.entrance import NEVER
from fonoteca.sources.uploads import files_in, stamps_of

UPLOAD = f"{DESK}/upload"
TRACKS_NAMED_MOST = 40
"""Files whose titles are asked for before they are held; those of others are put right afterwards. A form has a hundred fields."""

OWN = "own"
COVER = "cover_of"
"""The field, and the name in addresses, that has the key of the item of which an upload is a cover."""

_TEXTS = ("title", "artist", "licence", "attribution", "source", "why")


@dataclass(frozen=True, slots=True)
class Shown:
    """A file of an upload as its page shows it. problem: why it will not be taken, as far as its tags tell; "" for nothing."""

    name: str
    file_bytes: int
    tags: Tags | None
    problem: str


class UploadPages:
    """The routes of uploads."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._uploads = frame, frame.side.uploads

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = f"{UPLOAD}/{{token}}"
        return [
            Route(UPLOAD, self.show, methods=["GET"]),
            Route(UPLOAD, self.begin, methods=["POST"]),
            Route(one, self.show_one, methods=["GET"]),
            Route(one, self.put, methods=["POST"]),
            Route(f"{one}/files", self.add, methods=["POST"]),
            Route(f"{one}/remove", self.remove, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Return the page that asks for files, with the uploads that somebody began. `cover_of` of the query: for a cover of it."""
        return await self._frame.page(request, "desk_upload.html", lambda: self._begun(request))

    async def begin(self, request: Request) -> Response:
        """Return the way to a new upload, with the files that came."""
        curator(request)
        token = secrets.token_hex(16)
        folder = await run_sync(self._uploads.kept_folder, token)
        try:
            names = await receive(request, self._uploads, folder)
            if not names:
                raise UsageError("files", "none were chosen", "Choose the music and the pictures of one release.")
        except BaseException as error:
            if not files_in(folder):
                await run_sync(self._uploads.discard, folder)
            if not isinstance(error, UsageError):
                raise
            begun, wrong = await run_sync(self._begun, request), words_of(error)
            return await self._frame.page(request, "desk_upload.html", lambda: {**begun, "wrong": wrong}, 422)
        return RedirectResponse(_url(token, request.query_params.get(COVER, "")), 303, NEVER)

    async def show_one(self, request: Request) -> Response:
        """Return the page of an upload: its files, and the form of what is said of them."""
        return await self._page(request, {})

    async def add(self, request: Request) -> Response:
        """Return the way back to an upload after more files came to it."""
        curator(request)
        folder = self._folder(request)
        await run_sync(self._check_open, folder.name)
        try:
            await receive(request, self._uploads, folder)
        except UsageError as error:
            return await self._page(request, {"wrong": words_of(error)}, 422)
        return _back(request)

    async def remove(self, request: Request) -> Response:
        """Return the way back after a file of an upload was removed, or all of it."""
        fields = await self._frame.fields(request)
        folder = self._folder(request)
        await run_sync(self._check_open, folder.name)
        if fields.get("all"):
            await run_sync(self._uploads.discard, folder)
            return RedirectResponse(UPLOAD, 303, NEVER)
        for path in files_in(folder):
            if path.name == fields.get("name"):
                await run_sync(self._uploads.discard, path)
        return _back(request)

    async def put(self, request: Request) -> Response:
        """Return the way to the entry of an upload that is put down, or the form again with what is wrong with it."""
        fields = await self._frame.fields(request)
        folder = self._folder(request)
        try:
            held = await run_sync(self._held, fields.get(COVER, ""))
            order = upload_order(
                _said(folder.name, fields, held), await run_sync(stamps_of, folder), _right(fields, await run_sync(_shown, folder))
            )
            entry = await self._frame.put(request, order, number_of(fields.get("seen", ""), "entry"))
        except UsageError as error:
            return await self._page(request, {"wrong": words_of(error), "sent": fields}, status_of(error))
        return to_entry(entry)

    async def _page(self, request: Request, more: Mapping[str, Any], status: int = 200) -> Response:
        folder = self._folder(request)

        def facts() -> Mapping[str, Any]:
            files = _shown(folder)
            tags = [each.tags for each in files if each.tags]
            known = find_licence(_alike([each.licence for each in tags]), Scheme.LICENCE_URI)
            likely = {
                "title": _alike([each.album for each in tags]),
                "artist": _alike([each.album_artist or each.artist for each in tags]),
                "licence": known.uri
                if (known := find_licence(_alike([each.licence for each in tags]), Scheme.LICENCE_URI))
                else "",
                "acts": "",
                "attribution": "",
                "source": "",
                "why": "",
            }
            cover_of = more.get("sent", {}).get(COVER) or request.query_params.get(COVER, "")
            pictures = ObjectId.of(Kind.ARTWORK, ItemKey(cover_of)) if self._held(cover_of) else ""
            return {
                "token": folder.name,
                "cover": self._held(cover_of),
                "cover_of": cover_of,
                "files": files,
                "named": [each for each in files if each.tags][:TRACKS_NAMED_MOST],
                "families": families(),
                "acts": Act,
                "own": OWN,
                "said_licences": sorted({each.licence for each in tags if each.licence}),
                "seen": max(self._frame.docket.seen(each) for each in (subject_of(folder.name), pictures) if each),
                "about": self._frame.docket.about(subject_of(folder.name)),
                **more,
                "sent": {**likely, **more.get("sent", {})},
            }

        return await self._frame.page(request, "desk_upload_one.html", facts, status)

    def _begun(self, request: Request) -> Mapping[str, Any]:
        """Return what the first page shows: uploads that somebody began and nobody put down."""
        begun = []
        for token in self._uploads.left():
            entries = self._frame.docket.about(subject_of(token))
            if not entries or entries[-1].state is EntryState.FAILED:
                files = files_in(self._uploads.kept_folder(token))
                begun.append((token, len(files), sum(path.stat().st_size for path in files), bool(entries)))
        cover = request.query_params.get(COVER, "")
        return {
            "begun": begun,
            "cover": self._held(cover),
            "cover_of": cover,
            "files_max": FILES_MAX,
            "gibibytes_max": UPLOAD_BYTES_MAX >> 30,
        }

    def _check_open(self, token: str) -> None:
        """Raise Problem, 409, while an upload that was put down waits to be carried out: what was said is of these files."""
        entries = self._frame.docket.about(subject_of(token))
        if entries and entries[-1].state is EntryState.WAITING:
            raise Problem(409, f"It was put down as entry {entries[-1].number}, and waits: its files stay as they are.", "desk")

    def _held(self, item: str) -> ObjectRow | None:
        """Return what is held of the item that an upload is a cover of, None for no cover. Raises: Problem, 404."""
        rows = self._frame.rooms.register.objects_of(ItemKey(item)) if item and is_key(item) else []
        if item and not rows:
            raise Problem(404, "Nothing is held of that item.", "desk")
        return next((row for row in rows if row.kind == Kind.AUDIO), rows[0]) if rows else None

    def _folder(self, request: Request) -> Path:
        """Return the folder of an upload. Raises: Problem, 404."""
        token = request.path_params["token"]
        if token not in set(self._uploads.left()):
            raise Problem(404, "There is no such upload here. It may be held by now, or have been removed after a day.", "desk")
        return self._uploads.kept_folder(token)


def _shown(folder: Path) -> list[Shown]:
    """Return the files of an upload with what their tags say."""
    found = []
    for path in files_in(folder):
        try:
            found.append(Shown(path.name, path.stat().st_size, read_tags(path), ""))
        except AudioError as error:
            picture = path.suffix.lower() in (".jpg", ".jpeg", ".png", ".gif", ".webp")
            found.append(Shown(path.name, path.stat().st_size, None, "" if picture else error.problem))
    return found


def _alike(values: Sequence[str]) -> str:
    """Return what all files say, "" where they differ."""
    return values[0] if values and set(values) == {values[0]} else ""


def _said(token: str, fields: Mapping[str, str], held: ObjectRow | None) -> Brought:
    """Return what a form says of an upload. held: what it is a cover of."""
    texts = {name: fields.get(name, "").strip() for name in _TEXTS}
    if held is not None:
        texts |= {"title": held.title, "artist": held.artist}
    own = texts["licence"] == OWN
    acts = tuple(act.value for act in Act if own and (act is Act.HOLD or fields.get(f"act-{act.value}")))
    return Brought(token, **{**texts, "licence": "" if own else texts["licence"]}, acts=acts, cover_of=fields.get(COVER, ""))


def _right(fields: Mapping[str, str], files: Sequence[Shown]) -> dict[str, dict[str, str]]:
    """Return what a form puts right in files' tags, by file and field."""
    right: dict[str, dict[str, str]] = {}
    for number, each in enumerate([each for each in files if each.tags][:TRACKS_NAMED_MOST]):
        assert each.tags is not None
        track = "" if each.tags.track_number is None else str(each.tags.track_number)
        for name, before in (("title", each.tags.title), ("track_number", track)):
            said = fields.get(f"{name}-{number}", before).strip()
            if said != before:
                right.setdefault(each.name, {})[name] = said
    return right


def cover_upload_url(item: str) -> str:
    """Return the address at which a cover of an item is uploaded."""
    return f"{UPLOAD}?{urlencode({COVER: item})}"


def _url(token: str, cover_of: str) -> str:
    return f"{UPLOAD}/{token}" + (f"?{urlencode({COVER: cover_of})}" if cover_of else "")


def _back(request: Request) -> Response:
    return RedirectResponse(_url(request.path_params["token"], request.query_params.get(COVER, "")), 303, NEVER)
