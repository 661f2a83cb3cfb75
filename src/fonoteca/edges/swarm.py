"""BitTorrent by libtorrent, as `fonoteca.ports.Swarm`: seeding a storage root in place, fetching drops and single pieces.

A seed never changes what it seeds. It trusts its files when it starts and proves each piece before the first peer gets it
(libtorrent's seed mode); damage that comes to light is withheld from peers, and never fetched again by the seed itself
(upload mode): putting bytes right in a store is for `repair` alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import libtorrent as lt

from fonoteca.edges.swarm_fetching import Fetching, Reached, infohash_of
from fonoteca.edges.swarm_masks import mask_paths, mask_seed
from fonoteca.edges.swarm_resume import Resume
from fonoteca.edges.swarm_session import (
    Peer,
    Report,
    Session,
    SwarmSettings,
    check_peers,
    info_of,
    load_torrent,
)
from fonoteca.model.corridor import FetchedPieces
from fonoteca.model.errors import FonotecaError, SourceError, TrustError, UsageError
from fonoteca.model.swarming import Rates, SwarmNow, TorrentNow

__all__ = ["LibtorrentSwarm", "SwarmSettings"]

_LEAVE_TIMEOUT_S = 30.0
_PRIORITY = 4
"""libtorrent's default, of 1 to 7; 0 is not wanted."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the files of a torrent are that is seeded, and how: what makes another seed of it."""

    root: Path
    verify: bool
    without: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Seed:
    """The torrent itself is not kept: libtorrent has what it needs of it, and a drop's is some megabytes."""

    place: _Place
    handle: lt.torrent_handle


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What to fetch: a torrent into a folder, without the files at these paths."""

    torrent: bytes
    folder: Path
    without: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Try:
    """How a fetch from some peers went. mixed: whether honest ones may have been kept from it by liars."""

    payload_bytes: int
    failure: SourceError | TrustError | None
    mixed: bool


class LibtorrentSwarm:
    """A libtorrent session. Fetches run one at a time; seeding goes on beside them."""

    def __init__(self, settings: SwarmSettings | None = None) -> None:
        self._settings = settings or SwarmSettings()
        self._session = Session(self._settings)
        self._seeds: dict[str, _Seed] = {}
        self._infohashes: dict[bytes, str] = {}
        self._lock = threading.RLock()
        self._open = True

    @property
    def address(self) -> Peer:
        """The host and port that this swarm listens on."""
        return self._session.address

    def limit(self, rates: Rates) -> None:
        """Let this much go each way from now on. While resting no fetch is given up for lack of news."""
        self._session.limit(rates)

    def now(self) -> SwarmNow:
        """Return what goes on. uploaded_bytes and downloaded_bytes: of the torrents that are here now."""
        return self._session.now()

    def torrents(self) -> dict[str, TorrentNow]:
        """Return what is known of each torrent that is here, by its v2 infohash. Nobody is asked for it."""
        return self._session.torrents()

    def seed(self, torrent: bytes, root: Path, verify: bool = False, without: Collection[str] = ()) -> None:
        """Seed a torrent whose files lie below `root` at the paths that the torrent names (its own name left out).

        verify: read and check all files now, in the background, instead of each piece before a peer first gets it.
        without: paths of files that no peer gets a piece of (`swarm_masks`); the others' pieces are not proved before a peer
            gets them then, but for `verify`.
        A file that is missing or has the wrong length when seeding starts makes libtorrent check all files of the torrent
        at once; what is whole is seeded. Seeding the same torrent again changes nothing, but for what is given beside it.
        Cost: one `stat` a file.
        Raises: FormatError or TrustError for a torrent that cannot be used, UsageError when there is no such folder.
        """
        if not root.is_dir():
            raise UsageError(str(root), "expected a folder to seed from", "Give the storage root.")
        place = _Place(root, verify, frozenset(without))
        with self._lock:
            self._check_open()
            # Told of a thousand drops each hour, most of which it seeds: a torrent of 20,000 files takes half a second to parse.
            digest = sha256(torrent).digest()
            if self._is_seeded(self._infohashes.get(digest, ""), place):
                return
            params = load_torrent(torrent, root)
            key = self._infohashes[digest] = infohash_of(params)
            if not self._is_seeded(key, place):
                before = self._seeds.pop(key, None)
                if before is not None:
                    self._leave(before.handle)
                self._seeds[key] = _Seed(place, self._add_seed(params, place))

    def unseed(self, torrent: bytes) -> None:
        """Stop seeding a torrent; its files stay. One that is not seeded is no error."""
        with self._lock:
            self._check_open()
            digest = sha256(torrent).digest()
            key = self._infohashes.get(digest) or infohash_of(load_torrent(torrent, Path()))
            seed = self._seeds.pop(self._infohashes.setdefault(digest, key), None)
            if seed is not None:
                self._leave(seed.handle)

    def fetch(
        self,
        torrent: bytes,
        folder: Path,
        peers: Sequence[Peer],
        advance: Callable[[int], None],
        without: Collection[str] = (),
    ) -> int:
        """Fetch a whole torrent into `folder` (its own name left out), every byte handed to the file system on return.

        What `folder` already holds is kept, so that a fetch that was interrupted goes on: what it proved is not read again
        (`swarm_resume`), what else is there is checked, and what is wrong replaced. Pad files are not written. Synchronising to the
        medium is for whoever adopts the folder.
        without: paths of files that are not wanted; all of them wants no peer. Pieces of a hybrid hold one file each, so
            nothing of these arrives.
        advance: called with payload bytes as they arrive or are found in `folder`, in all what is wanted.
        Returns: payload bytes downloaded, of pads at most what fills the last 16 KiB block of each file.
        Raises: SourceError when nothing new arrives for `idle_timeout_s`; TrustError when that is because peers sent bytes
            that fail the torrent's hashes, broke the protocol, or promised pieces and sent none, or for a torrent that
            cannot be used; StoreError when the disk fails.
        """
        together = check_peers(peers)
        wanted = _Wanted(torrent, folder, frozenset(without))
        reached = Reached(advance)
        tries = [self._try_fetch(wanted, together, reached)]
        # libtorrent may ban an honest peer for a piece that a liar had a part in, and one that floods us leaves it no time for
        # others. So then each is asked by itself, where who sent what is beyond doubt.
        alone = together if tries[0].failure is not None and tries[0].mixed and len(together) > 1 else []
        for peer in alone:
            tries.append(self._try_fetch(wanted, [peer], reached, alone=True))
            if tries[-1].failure is None:
                break
        if tries[-1].failure is not None:
            assert tries[0].failure is not None
            raise tries[0].failure
        return sum(each.payload_bytes for each in tries)

    def fetch_pieces(self, torrent: bytes, folder: Path, pieces: Sequence[int], peers: Sequence[Peer]) -> FetchedPieces:
        """Fetch single pieces, each proved by the torrent's hashes, by way of `folder`, which the caller then discards.

        pieces: indexes in the torrent, in any order. Peers are tried one after another, so that no block is fetched twice,
        as libtorrent does at the end of a torrent with several. Without peers: those that the torrent's trackers, the DHT
        or the local network name, where the settings allow it.
        Returns: each piece's bytes without pads, and the payload bytes that were downloaded for them: with honest peers
            at most the length of the pieces.
        Raises: as `fetch`; UsageError for a piece that the torrent has not.
        """
        wanted = sorted(set(pieces))
        got: dict[int, bytes] = {}
        payload_bytes = 0
        error: FonotecaError | None = None
        groups: list[list[Peer]] = [[peer] for peer in check_peers(peers)] or [[]]
        for group in groups:
            missing = [piece for piece in wanted if piece not in got]
            if not missing:
                break
            params = load_torrent(torrent, folder)
            _want_only(params, missing)
            params.peers = group
            if group:
                _ask_nobody_else(params)
            with self._fetching(torrent, params, folder) as fetching:
                try:
                    fetching.await_finish(Reached(_nothing))
                except (SourceError, TrustError) as failure:
                    error = failure
                got.update(fetching.read_pieces(missing))
                payload_bytes += fetching.payload_bytes
        if error is not None and len(got) < len(wanted):
            raise error
        return FetchedPieces(pieces=got, payload_bytes=payload_bytes)

    def close(self) -> None:
        """Leave the swarm; all that was fetched is on disk. Closing again is no error."""
        with self._lock:
            if self._open:
                self._open = False
                self._seeds.clear()
                self._session.close()

    def __enter__(self) -> LibtorrentSwarm:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the swarm."""
        self.close()

    def _try_fetch(self, wanted: _Wanted, peers: list[Peer], reached: Reached, *, alone: bool = False) -> _Try:
        params = load_torrent(wanted.torrent, wanted.folder)
        if wanted.without:
            mask_paths(params, wanted.without)
        params.peers = peers
        if alone:
            _ask_nobody_else(params)
        failure: SourceError | TrustError | None = None
        resume = Resume(params, wanted.folder, infohash_of(params))
        resume.recall(params)
        with self._fetching(wanted.torrent, params, wanted.folder, resume) as fetching:
            try:
                fetching.await_finish(reached)
                fetching.flush()
                fetching.forget()
            except (SourceError, TrustError) as error:
                failure = error
            return _Try(fetching.payload_bytes, failure, fetching.saw_bad_bytes or fetching.flooded)

    def _is_seeded(self, key: str, place: _Place) -> bool:
        seed = self._seeds.get(key)
        return seed is not None and seed.place == place and seed.handle.is_valid()

    def _add_seed(self, params: lt.add_torrent_params, place: _Place) -> lt.torrent_handle:
        params.flags |= lt.torrent_flags.upload_mode
        if place.without:
            mask_seed(params, place.without, verify=place.verify)
        elif not place.verify:
            params.flags |= lt.torrent_flags.seed_mode
        return self._session.add(params)

    @contextmanager
    def _fetching(
        self, torrent: bytes, params: lt.add_torrent_params, folder: Path, resume: Resume | None = None
    ) -> Iterator[Fetching]:
        """Add a torrent for as long as the context lasts; a seed of the same torrent rests meanwhile."""
        with self._lock:
            self._check_open()
            folder.mkdir(parents=True, exist_ok=True)
            resting = self._seeds.pop(infohash_of(params), None)
            if resting is not None:
                self._leave(resting.handle)
            fetching = Fetching(self._session, self._settings, params, resume)
            try:
                yield fetching
            finally:
                # Also when interrupted: what has arrived is written first, so that the next run finds it.
                try:
                    fetching.stop()
                finally:
                    self._leave(fetching.handle)
                    if resting is not None:
                        place = resting.place
                        self.seed(torrent, place.root, place.verify, place.without)

    def _leave(self, handle: lt.torrent_handle) -> None:
        """Remove a torrent and wait until libtorrent says that it is gone."""
        report = Report()
        deadline = time.monotonic() + _LEAVE_TIMEOUT_S
        self._session.remove(handle)
        while not report.removed and time.monotonic() < deadline:
            self._session.listen_to(handle, report)

    def _check_open(self) -> None:
        if not self._open:
            raise UsageError("swarm", "it was closed", "Open a new one.")


def _ask_nobody_else(params: lt.add_torrent_params) -> None:
    """Keep to the peers that are named: an honest one would else tell us of liars that it knows (PEX), from us maybe."""
    params.flags |= lt.torrent_flags.disable_dht | lt.torrent_flags.disable_lsd | lt.torrent_flags.disable_pex
    params.trackers = []
    params.url_seeds = []


def _want_only(params: lt.add_torrent_params, pieces: Sequence[int]) -> None:
    info = info_of(params)
    count = info.num_pieces()
    if pieces[0] < 0 or pieces[-1] >= count:
        raise UsageError(f"torrent {info.name()}", f"has pieces 0 to {count - 1}, not {pieces[0]} to {pieces[-1]}")
    priorities = [0] * count
    for piece in pieces:
        priorities[piece] = _PRIORITY
    params.piece_priorities = priorities


def _nothing(_: int) -> None:
    """Take no notice of progress."""
