"""BitTorrent by libtorrent, as `fonoteca.ports.Swarm`: seeding a storage root in place, fetching drops and single pieces.

A seed never changes what it seeds. It trusts its files when it starts and proves each piece before the first peer gets it
(libtorrent's seed mode); damage that comes to light is withheld from peers, and never fetched again by the seed itself
(upload mode): putting bytes right in a store is for `repair` alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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

_FAILED_BYTES_MAX = 256 * 2**20
"""Of bytes that failed their hash, so many count as news: a piece that is fetched again took as long as a good one. No more do,
or liars, of whom there may be ever more, could keep a fetch busy for ever."""

_OVERHEAD_BYTES_MAX = 16 * 2**20
"""Of messages that are no blocks, and of blocks that nobody asked for, beside a quarter of what was asked for. Honest peers need a
thousandth."""

_LOOK_SHARE = 0.1
"""How much of `idle_timeout_s` passes between two looks at what idle peers promise, once half of it has passed."""

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
    """How a fetch from some peers went. mixed: whether honest ones may have been kept from it by liars."""

    payload_bytes: int
    failure: SourceError | TrustError | None
    mixed: bool


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
            that fail the torrent's hashes, broke the protocol, or promised pieces and sent none, or for a torrent that
            cannot be used; StoreError when the disk fails.
        """
        together = check_peers(peers)
        wanted = _Wanted(torrent, folder, frozenset(without))
        reached = _Reached(advance)
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

    def _try_fetch(self, wanted: _Wanted, peers: list[Peer], reached: _Reached, *, alone: bool = False) -> _Try:
        params = load_torrent(wanted.torrent, wanted.folder)
        if wanted.without:
            mask_paths(params, wanted.without)
        params.peers = peers
        if alone:
            _ask_nobody_else(params)
        failure: SourceError | TrustError | None = None
        with self._fetching(params, wanted.folder) as fetching:
            try:
                fetching.await_finish(reached)
                fetching.flush()
            except (SourceError, TrustError) as error:
                failure = error
            return _Try(fetching.payload_bytes, failure, fetching.saw_bad_bytes or fetching.flooded)

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
        self._promised: set[Peer] = set()
        self.flooded = False
        self.handle = session.add(params)

    @property
    def saw_bad_bytes(self) -> bool:
        """Whether somebody sent bytes that fail the torrent's hashes."""
        return bool(self._report.hash_failures or self._report.banned)

    @property
    def payload_bytes(self) -> int:
        """Payload bytes downloaded so far, those that failed their hash among them."""
        return int(self.handle.status().total_payload_download)

    def await_finish(self, reached: _Reached) -> None:
        """Wait until all that is wanted is here and proved."""
        news_bytes, checked_ppm = 0, 0
        last_news = time.monotonic()
        next_status, next_look = 0.0, 0.5
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
            # Whole blocks are news, and no others: bytes that nobody asked for, half a block over and over, or a byte now and
            # then could keep us busy for ever.
            useful_bytes = status.total_wanted_done + min(status.total_failed_bytes, _FAILED_BYTES_MAX)
            if useful_bytes > news_bytes or (status.state in _CHECKING and status.progress_ppm != checked_ppm):
                news_bytes, checked_ppm, last_news = max(useful_bytes, news_bytes), status.progress_ppm, now
                next_look = 0.5
            elif self._session.resting:
                last_news = now
            elif now - last_news > next_look * self._settings.idle_timeout_s:
                next_look += _LOOK_SHARE
                self._note_promises()
            self.flooded = _is_flooded(status)
            if now - last_news > self._settings.idle_timeout_s or self._all_banned() or (self.flooded and self._peers):
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

    def _note_promises(self) -> None:
        """Take note of peers that let us ask (BEP 3, unchoked) for pieces that they say they have and that we lack.

        Cost: O(pieces) a peer, so it is done a few times in a fetch that gets nothing, and not in others.
        """
        here = self.handle.status(lt.torrent_handle.query_pieces).pieces
        wanted = self.handle.get_piece_priorities()
        lacking = [piece for piece, priority in enumerate(wanted) if priority and not here[piece]]
        for peer in self.handle.get_peer_info():
            if not peer.flags & (lt.peer_info.remote_choked | lt.peer_info.connecting | lt.peer_info.handshake):
                offered = peer.pieces
                if any(offered[piece] for piece in lacking):
                    self._promised.add(peer.ip)

    def _given_up(self, status: lt.torrent_status) -> FonotecaError:
        """Return why nothing new comes. Lies are told first: they are what a person should know."""
        have = f"{status.num_pieces} of {self._wanted_count} pieces are here"
        waited = f"for {self._settings.idle_timeout_s:g} s"
        lies = (
            (self.saw_bad_bytes, self._report.banned, "sent bytes that fail the torrent's hashes"),
            (bool(self._report.broken), self._report.broken, f"broke the protocol ({_last(self._report.broken)})"),
            (self.flooded, (), f"sent {status.total_download} bytes, nearly all of which nobody asked for"),
            (bool(self._promised), self._promised, f"promised pieces and sent none of them {waited}"),
        )
        for happened, peers, lie in lies:
            if happened:
                who = ", ".join(sorted(f"{host}:{port}" for host, port in peers)) or "a peer"
                return TrustError(self._subject, f"{who} {lie}; {have}", "Try other peers; what is here was proved and is kept.")
        reasons = {self._report.lost.get(peer, "") for peer in self._peers} - {""}
        reasons |= {f"{address}: {why}" for address, why in self._report.web_seeds.items()}
        why = f" ({'; '.join(sorted(reasons))})" if reasons else ""
        return SourceError(
            self._subject,
            f"nothing new from any of {len(self._peers)} known peers{why}; {have}",
            "Run the same command again when a peer is up; what is here is kept.",
        )

    def _disk_error(self, problem: str) -> StoreError:
        return StoreError(self._subject, problem, "Make room or mend the disk; then run the same command again.")


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


def _key(params: lt.add_torrent_params) -> str:
    """Return the torrent's best infohash, in hexadecimal: by it libtorrent knows duplicates."""
    with wrapped("torrent"):
        hashes = info_of(params).info_hashes()
        return str(hashes.v2 if hashes.has_v2() else hashes.v1)


def _nothing(_: int) -> None:
    """Take no notice of progress."""


def _is_flooded(status: lt.torrent_status) -> bool:
    """Return whether peers sent far more than blocks that were asked for."""
    useful_bytes = status.total_payload_download - status.total_redundant_bytes
    return bool(status.total_download - useful_bytes > _OVERHEAD_BYTES_MAX + useful_bytes // 4)


def _last(reasons: Mapping[Peer, str]) -> str:
    """Return the reason that was given last, "" when none was."""
    return [*reasons.values(), ""][len(reasons) - 1]
