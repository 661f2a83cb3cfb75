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
from pathlib import Path

import libtorrent as lt

from fonoteca.edges.swarm_masks import mask_paths, mask_seed
from fonoteca.edges.swarm_session import (
    Peer,
    Report,
    Session,
    SwarmSettings,
    check_peers,
    info_of,
    load_torrent,
    piece_payload,
    wrapped,
)
from fonoteca.model.corridor import FetchedPieces
from fonoteca.model.errors import FonotecaError, SourceError, StoreError, TrustError, UsageError
from fonoteca.model.swarming import Rates, SwarmNow

__all__ = ["LibtorrentSwarm", "SwarmSettings"]

_FLUSH_TIMEOUT_S = 600.0
"""Far more than a disk needs for the 100 MB that libtorrent lets wait (`max_queued_disk_bytes`)."""

_LEAVE_TIMEOUT_S = 30.0
_STATUS_INTERVAL_S = 0.2
_PRIORITY = 4
"""libtorrent's default, of 1 to 7; 0 is not wanted."""

_CHECKING = (lt.torrent_status.states.checking_files, lt.torrent_status.states.checking_resume_data)


@dataclass(slots=True)
class _Seed:
    torrent: bytes
    root: Path
    verify: bool
    without: frozenset[str]
    handle: lt.torrent_handle


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What to fetch: a torrent into a folder, without the files at these paths."""

    torrent: bytes
    folder: Path
    without: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Try:
    """How a fetch from some peers went."""

    payload_bytes: int
    failure: SourceError | TrustError | None


class _Reached:
    """Progress that only goes on, over several tries."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self._bytes = 0

    def reach(self, position_bytes: int) -> None:
        """Advance to this many bytes if that is further than before."""
        if position_bytes > self._bytes:
            self._advance(position_bytes - self._bytes)
            self._bytes = position_bytes


class LibtorrentSwarm:
    """A libtorrent session. Fetches run one at a time; seeding goes on beside them."""

    def __init__(self, settings: SwarmSettings | None = None) -> None:
        self._settings = settings or SwarmSettings()
        self._session = Session(self._settings)
        self._seeds: dict[str, _Seed] = {}
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
        params = load_torrent(torrent, root)
        if not root.is_dir():
            raise UsageError(str(root), "expected a folder to seed from", "Give the storage root.")
        key, masked = _key(params), frozenset(without)
        with self._lock:
            self._check_open()
            before = self._seeds.get(key)
            if before is not None:
                if (before.root, before.verify, before.without) == (root, verify, masked) and before.handle.is_valid():
                    return
                self._leave(before.handle)
            handle = self._add_seed(params, verify, masked)
            self._seeds[key] = _Seed(torrent, root, verify, masked, handle)

    def unseed(self, torrent: bytes) -> None:
        """Stop seeding a torrent; its files stay. One that is not seeded is no error."""
        with self._lock:
            self._check_open()
            seed = self._seeds.pop(_key(load_torrent(torrent, Path())), None)
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

        What `folder` already holds is checked and kept, so that a fetch that was interrupted goes on; what is there and
        wrong is replaced. Pad files are not written. Synchronising to the medium is for whoever adopts the folder.
        without: paths of files that are not wanted; all of them wants no peer. Pieces of a hybrid hold one file each, so
            nothing of these arrives.
        advance: called with payload bytes as they arrive or are found in `folder`, in all what is wanted.
        Returns: payload bytes downloaded, of pads at most what fills the last 16 KiB block of each file.
        Raises: SourceError when nothing new arrives for `idle_timeout_s`; TrustError when that is because peers sent bytes
            that fail the torrent's hashes, or for a torrent that cannot be used; StoreError when the disk fails.
        """
        together = check_peers(peers)
        wanted = _Wanted(torrent, folder, frozenset(without))
        reached = _Reached(advance)
        tries = [self._try_fetch(wanted, together, reached)]
        # libtorrent may ban an honest peer for a piece that a liar had a part in. So after a ban each is asked by itself:
        # then who sent what is beyond doubt.
        alone = together if isinstance(tries[0].failure, TrustError) and len(together) > 1 else []
        for peer in alone:
            tries.append(self._try_fetch(wanted, [peer], reached))
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
                params.flags |= lt.torrent_flags.disable_dht | lt.torrent_flags.disable_lsd | lt.torrent_flags.disable_pex
                params.trackers = []
                params.url_seeds = []
            with self._fetching(params, folder) as fetching:
                try:
                    fetching.await_finish(_Reached(_nothing))
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

    def _try_fetch(self, wanted: _Wanted, peers: list[Peer], reached: _Reached) -> _Try:
        params = load_torrent(wanted.torrent, wanted.folder)
        if wanted.without:
            mask_paths(params, wanted.without)
        params.peers = peers
        failure: SourceError | TrustError | None = None
        with self._fetching(params, wanted.folder) as fetching:
            try:
                fetching.await_finish(reached)
                fetching.flush()
            except (SourceError, TrustError) as error:
                failure = error
            return _Try(fetching.payload_bytes, failure)

    def _add_seed(self, params: lt.add_torrent_params, verify: bool, without: frozenset[str]) -> lt.torrent_handle:
        params.flags |= lt.torrent_flags.upload_mode
        if without:
            mask_seed(params, without, verify=verify)
        elif not verify:
            params.flags |= lt.torrent_flags.seed_mode
        return self._session.add(params)

    @contextmanager
    def _fetching(self, params: lt.add_torrent_params, folder: Path) -> Iterator[_Fetching]:
        """Add a torrent for as long as the context lasts; a seed of the same torrent rests meanwhile."""
        with self._lock:
            self._check_open()
            folder.mkdir(parents=True, exist_ok=True)
            resting = self._seeds.pop(_key(params), None)
            if resting is not None:
                self._leave(resting.handle)
            fetching = _Fetching(self._session, self._settings, params)
            try:
                yield fetching
            finally:
                # Also when interrupted: what has arrived is written first, so that the next run finds it.
                fetching.stop()
                self._leave(fetching.handle)
                if resting is not None:
                    self.seed(resting.torrent, resting.root, resting.verify, resting.without)

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


class _Fetching:
    """A torrent on its way in."""

    def __init__(self, session: Session, settings: SwarmSettings, params: lt.add_torrent_params) -> None:
        self._session = session
        self._settings = settings
        self._info = info_of(params)
        self._subject = f"torrent {self._info.name()} ({_key(params)[:16]})"
        self._wanted_count = len([p for p in params.piece_priorities if p]) or self._info.num_pieces()
        self._peers = list(params.peers)
        # Whether nobody but these peers can turn up.
        self._alone = not (settings.dht or settings.lsd or params.trackers or params.url_seeds)
        self._report = Report()
        self.handle = session.add(params)

    @property
    def payload_bytes(self) -> int:
        """Payload bytes downloaded so far, those that failed their hash among them."""
        return int(self.handle.status().total_payload_download)

    def await_finish(self, reached: _Reached) -> None:
        """Wait until all that is wanted is here and proved."""
        news_bytes, checked_ppm = 0, 0
        last_news = time.monotonic()
        next_status = 0.0
        while True:
            self._session.listen_to(self.handle, self._report)
            now = time.monotonic()
            if now < next_status and not self._report.finished:
                continue
            next_status = now + _STATUS_INTERVAL_S
            status = self.handle.status()
            if self._report.disk_error or status.errc.value():
                raise self._disk_error(self._report.disk_error or status.errc.message())
            reached.reach(status.total_wanted_done)
            if status.is_finished:
                return
            # What failed its hash is no news, or a peer could keep us busy with rubbish for ever.
            useful_bytes = status.total_wanted_done + status.total_payload_download - status.total_failed_bytes
            if useful_bytes > news_bytes or (status.state in _CHECKING and status.progress_ppm != checked_ppm):
                news_bytes, checked_ppm, last_news = max(useful_bytes, news_bytes), status.progress_ppm, now
            elif self._session.resting:
                last_news = now
            if now - last_news > self._settings.idle_timeout_s or self._all_banned():
                raise self._given_up(status)

    def flush(self) -> None:
        """Wait until all that has arrived is written: a torrent counts as finished somewhat earlier."""
        if not self._written(_FLUSH_TIMEOUT_S):
            raise self._disk_error(self._report.disk_error or f"not written after {_FLUSH_TIMEOUT_S:g} s")

    def stop(self) -> None:
        """Take no more from peers, and give what has arrived a while to be written. A disk that fails has been told of."""
        self.handle.pause()
        self._written(_LEAVE_TIMEOUT_S)

    def _written(self, timeout_s: float) -> bool:
        self._report.flushed = False
        self.handle.flush_cache()
        deadline = time.monotonic() + timeout_s
        while not self._report.flushed and not self._report.disk_error and time.monotonic() < deadline:
            self._session.listen_to(self.handle, self._report)
        return self._report.flushed and not self._report.disk_error

    def read_pieces(self, pieces: Sequence[int]) -> dict[int, bytes]:
        """Return those of the pieces that are here and proved, without pads."""
        here = [piece for piece in pieces if self.handle.have_piece(piece)]
        for piece in here:
            self.handle.read_piece(piece)
        deadline = time.monotonic() + _FLUSH_TIMEOUT_S
        while not self._report.pieces.keys() >= set(here):
            self._session.listen_to(self.handle, self._report)
            if time.monotonic() > deadline:
                raise self._disk_error(f"pieces not read back after {_FLUSH_TIMEOUT_S:g} s")
        found = {}
        for piece in here:
            content = self._report.pieces[piece]
            if isinstance(content, str):
                raise self._disk_error(content)
            found[piece] = piece_payload(self._info, piece, content)
        return found

    def _all_banned(self) -> bool:
        return self._alone and bool(self._peers) and self._report.banned >= set(self._peers)

    def _given_up(self, status: lt.torrent_status) -> FonotecaError:
        have = f"{status.num_pieces} of {self._wanted_count} pieces are here"
        if self._report.hash_failures or self._report.banned:
            who = ", ".join(sorted(f"{host}:{port}" for host, port in self._report.banned)) or "a peer"
            return TrustError(
                self._subject,
                f"{who} sent bytes that fail the torrent's hashes; {have}",
                "Try other peers; what is here was proved and is kept.",
            )
        lost = {self._report.lost.get(peer, "") for peer in self._peers} - {""}
        why = f" ({'; '.join(sorted(lost))})" if lost else ""
        return SourceError(
            self._subject,
            f"nothing new from any of {len(self._peers)} known peers{why}; {have}",
            "Run the same command again when a peer is up; what is here is kept.",
        )

    def _disk_error(self, problem: str) -> StoreError:
        return StoreError(self._subject, problem, "Make room or mend the disk; then run the same command again.")


def _want_only(params: lt.add_torrent_params, pieces: Sequence[int]) -> None:
    info = info_of(params)
    count = info.num_pieces()
    if pieces[0] < 0 or pieces[-1] >= count:
        raise UsageError(f"torrent {info.name()}", f"has pieces 0 to {count - 1}, not {pieces[0]} to {pieces[-1]}")
    priorities = [0] * count
    for piece in pieces:
        priorities[piece] = _PRIORITY
    params.piece_priorities = priorities


def _key(params: lt.add_torrent_params) -> str:
    """Return the torrent's best infohash, in hexadecimal: by it libtorrent knows duplicates."""
    with wrapped("torrent"):
        hashes = info_of(params).info_hashes()
        return str(hashes.v2 if hashes.has_v2() else hashes.v1)


def _nothing(_: int) -> None:
    """Take no notice of progress."""
