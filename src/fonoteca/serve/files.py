"""Files over HTTP: held music and artwork, what editions publish, and web seeds. Only what the archive's own records name."""

from __future__ import annotations

import hashlib
import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fonoteca.formats.ocfl import OBJECT_DEPTH, object_id_at, version_of_folder
from fonoteca.formats.torrentreading import parse_torrent
from fonoteca.model.catalogue import Snapshot
from fonoteca.model.corridor import DropKind, DropMember
from fonoteca.model.ids import ObjectId
from fonoteca.model.withdrawal import Purpose
from fonoteca.ports import Blobs
from fonoteca.search import is_index_file
from fonoteca.serve.delivery import BINARY, Parcel, deliver, sent_type
from fonoteca.serve.held import NO_SUCH_FILE, held_file, let_pass, proving, refuse_damaged
from fonoteca.serve.locating import asked_from
from fonoteca.serve.padding import Zeros, pad_bytes_of
from fonoteca.serve.passage import refuse_withdrawn
from fonoteca.serve.paths import logical_path_of, object_id_of, raw_parts
from fonoteca.serve.problems import Problem
from fonoteca.serve.proving import Proving
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.signing.roles import signed_in, unsigned
from fonoteca.serve.watching.fetches import Fetch, fetch_of, note_fetch

HASHED_BYTES_MAX = 4 << 20
"""Up to 4 MiB a published file is tagged by its digest; larger ones are manifests, which never change under their names."""

_PUBLISHED_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
_PUBLISHED_DEPTH_MAX = 8
_PUBLISHED_TYPES = {
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".torrent": "application/x-bittorrent",
    ".xml": "application/xml",
    "SHA256SUMS": "text/plain; charset=utf-8",
    ".zst": "application/zstd",
}
DROPS = "drops"
"""The folder of torrents in an edition."""

_FOR_EVER = "public, max-age=31536000, immutable"


class Files:
    """The routes that send bytes."""

    def __init__(self, rooms: ServeRooms) -> None:
        self._rooms = rooms
        self._names: dict[str, str] = {}  # of the torrents of snapshots, which never change

    def routes(self) -> list[Route]:
        """Return the routes, for GET and HEAD."""
        return [
            Route("/files/{rest:rest}", self.held_file, name="file"),
            Route("/editions/{rest:rest}", self.published_file, name="edition"),
            Route("/webseed/{rest:rest}", self.seeded_file, name="webseed"),
        ]

    def held_file(self, request: Request) -> Response:
        """Return an audio or artwork file of an object's head, if rights let it go out now."""
        parts = raw_parts(request, "/files/")
        object_id = object_id_of(parts[0]) if len(parts) > 1 else None
        logical_path = logical_path_of(parts[1:])
        held = held_file(asked_from(self._rooms, request), object_id, logical_path)
        row = held.row
        parcel = Parcel(
            key=row.path,
            tag=row.stored.hashes.sha256,
            file_bytes=row.file_bytes,
            modified_at=held.owner.head_at,
            media_type=sent_type(row.media_type),
            file_name=row.logical_path.rsplit("/", 1)[-1],
        )
        note_fetch(request, fetch_of(row))
        return deliver(request, proving(self._rooms, row), parcel)

    def published_file(self, request: Request) -> Response:
        """Return a file of the editions folder: index.json, torrents, manifests. All of it is public."""
        parts = raw_parts(request, "/editions/")
        if not 0 < len(parts) <= _PUBLISHED_DEPTH_MAX or not all(_PUBLISHED_PART.fullmatch(part) for part in parts):
            raise Problem(404, NO_SUCH_FILE)
        return deliver(request, self._rooms.editions, _published(self._rooms.editions, "/".join(parts)))

    def seeded_file(self, request: Request) -> Response:
        """Return a file of a drop (BEP 19): `/webseed/<torrent's name>/<path in the torrent>`.

        A mirror's torrents have the name of the archive that it follows, so the name is not compared with our own: it only
        tells snapshots from versions, and the path alone says which file is meant.
        """
        parts = raw_parts(request, "/webseed/")
        if len(parts) < 2:
            raise Problem(404, NO_SUCH_FILE)
        pad_bytes = pad_bytes_of(parts[1:], self._rooms.settings.piece_bytes)
        if pad_bytes is not None:
            name = str(pad_bytes)
            return deliver(request, Zeros(), Parcel(name, f"zeros-{name}", pad_bytes, None, BINARY, name, _FOR_EVER))
        path = "/".join(parts[1:])
        snapshot = self._rooms.catalogue.snapshot()
        if snapshot is not None and parts[0].endswith(f"-catalogue-{snapshot.name}"):
            self._refuse_unpublished(request, DropKind.METADATA, parts[0])
            return self._seed_snapshot(request, snapshot, path)
        indexed = self._rooms.finder.snapshot()
        if indexed is not None and parts[0].endswith(f"-search-{indexed}"):
            self._refuse_unpublished(request, DropKind.SEARCH, parts[0])
            return self._seed_index(request, path)
        return self._seed_member(request, path)

    def _seed_member(self, request: Request, path: str) -> Response:
        """Return a file of a stored version that may be shared."""
        row = self._rooms.register.file_by_path(path)
        object_id = row.object_id if row else object_id_at("/".join(path.split("/")[:OBJECT_DEPTH]))
        if object_id:
            refuse_withdrawn(self._rooms, object_id, Purpose.SHARING, row.sha256 if row else "")
        owner = self._rooms.register.object(row.object_id) if row else None
        if row is None or owner is None or owner.item is None:
            raise Problem(404, NO_SUCH_FILE)
        if self._is_stranger(request) and not self._is_published(row.object_id, path):
            raise unsigned()
        let_pass(self._rooms, row.object_id)
        refuse_damaged(owner, row.damage)
        name = path.rsplit("/", 1)[-1]
        parcel = Parcel(path, row.sha256, row.file_bytes, owner.head_at, BINARY, name)
        rooms, hashes = self._rooms, self._rooms.register.hashes_by_path(path)
        opens = Proving(rooms.blobs, rooms.register, rooms.clock, rooms.remembered, row.sha256, row.file_bytes, hashes)
        note_fetch(request, Fetch(row.object_id, path, row.file_bytes))
        return deliver(request, opens, parcel)

    def _is_stranger(self, request: Request) -> bool:
        """Return whether who asks gets only what is published: anyone without an account, where the site is closed."""
        return not self._rooms.settings.server.anonymous and signed_in(request) is None

    def _refuse_unpublished(self, request: Request, kind: DropKind, torrent_name: str) -> None:
        """Raise Problem, 401, to a stranger who asks for a snapshot that no torrent of the edition has by this name."""
        if not self._is_stranger(request):
            return
        editions = self._rooms.editions
        torrents = [name for name in editions.children(DROPS) if name.startswith(f"{kind}-")]
        for name in torrents:
            if name not in self._names:
                self._names[name] = parse_torrent(editions.read(f"{DROPS}/{name}")).name
        if torrent_name not in {self._names[name] for name in torrents}:
            raise unsigned()

    def _is_published(self, object_id: ObjectId, path: str) -> bool:
        """Return whether a drop carries the version that a file lies in."""
        number = version_of_folder(path.split("/")[OBJECT_DEPTH])
        return number is not None and self._rooms.register.publishing.carrier(DropMember(object_id, number)) is not None

    def _seed_snapshot(self, request: Request, snapshot: Snapshot, path: str) -> Response:
        """Return a file of the catalogue snapshot in force."""
        if path != "snapshot.json" and path not in dict(snapshot.files):
            raise Problem(404, NO_SUCH_FILE)
        blobs = self._rooms.catalogue_blobs
        return deliver(request, blobs, _published(blobs, f"{snapshot.name}/{path}"))

    def _seed_index(self, request: Request, path: str) -> Response:
        """Return a file of the search index in use."""
        if not is_index_file(path):
            raise Problem(404, NO_SUCH_FILE)
        blobs = self._rooms.search_blobs
        return deliver(request, blobs, _published(blobs, f"{self._rooms.finder.current()}/{path}"))


def _published(blobs: Blobs, key: str) -> Parcel:
    """Return a public file as it is to be sent. Raises: Problem when there is none."""
    file_bytes = blobs.size(key)
    if file_bytes is None:
        raise Problem(404, NO_SUCH_FILE)
    name = key.rsplit("/", 1)[-1]
    tag = hashlib.sha256(blobs.read(key)).hexdigest() if file_bytes <= HASHED_BYTES_MAX else f"{name}-{file_bytes}"
    media_type = next((value for suffix, value in _PUBLISHED_TYPES.items() if name.endswith(suffix)), BINARY)
    return Parcel(key, tag, file_bytes, None, media_type, name)
