"""One torrent on its way in: what it waits for, when it is given up, and what is said of peers that lie."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import libtorrent as lt

from fonoteca.edges.swarm_resume import Resume
from fonoteca.edges.swarm_session import Peer, Report, Session, SwarmSettings, info_of, piece_payload, wrapped
from fonoteca.model.errors import FonotecaError, SourceError, StoreError, TrustError

_FLUSH_TIMEOUT_S = 600.0
"""Far more than a disk needs for the 100 MB that libtorrent lets wait (`max_queued_disk_bytes`)."""

_LEAVE_TIMEOUT_S = 30.0
_STATUS_INTERVAL_S = 0.2
_KEEP_INTERVAL_S = 30.0
"""What a killed run has to fetch again, at most."""

_FAILED_BYTES_MAX = 256 * 2**20
"""Of bytes that failed their hash, so many count as news: a piece that is fetched again took as long as a good one. No more do,
or liars, of whom there may be ever more, could keep a fetch busy for ever."""

_OVERHEAD_BYTES_MAX = 16 * 2**20
"""Of messages that are no blocks, and of blocks that nobody asked for, beside a quarter of what was asked for. Honest peers need a
thousandth."""

_END_OF_FILE, _REDIRECTING = "End of file", "redirecting"
_ENDINGS_MIN = 3
"""What libtorrent says of a connection that a web seed ended in an answer, or to lead elsewhere; and how often is too often."""

_LOOK_SHARE = 0.1
"""How much of `idle_timeout_s` passes between two looks at what idle peers promise, once half of it has passed."""

_CHECKING = (lt.torrent_status.states.checking_files, lt.torrent_status.states.checking_resume_data)


class Reached:
    """Progress that only goes on, over several tries."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self._bytes = 0

    def reach(self, position_bytes: int) -> None:
        """Advance to this many bytes if that is further than before."""
        if position_bytes > self._bytes:
            self._advance(position_bytes - self._bytes)
            self._bytes = position_bytes


class Fetching:
    """A torrent on its way in."""

    def __init__(self, session: Session, settings: SwarmSettings, params: lt.add_torrent_params, resume: Resume | None) -> None:
        self._session = session
        self._resume = resume
        self._settings = settings
        self._info = info_of(params)
        self._subject = f"torrent {self._info.name()} ({infohash_of(params)[:16]})"
        self._wanted_count = len([p for p in params.piece_priorities if p]) or self._info.num_pieces()
        self._peers = list(params.peers)
        self._web_seeds = list(params.url_seeds)
        # Whether nobody but these peers and web seeds can turn up.
        self._closed = not (settings.dht or settings.lsd or params.trackers)
        self._report = Report()
        self._promised: set[Peer] = set()
        self._flood_bytes = 0
        self.handle = session.add(params)

    @property
    def flooded(self) -> bool:
        """Whether somebody sent far more than blocks that were asked for."""
        return self._flood_bytes > 0

    @property
    def saw_bad_bytes(self) -> bool:
        """Whether somebody sent bytes that fail the torrent's hashes."""
        return bool(self._report.hash_failures or self._report.banned)

    @property
    def payload_bytes(self) -> int:
        """Payload bytes downloaded so far, those that failed their hash among them."""
        return int(self.handle.status().total_payload_download)

    def await_finish(self, reached: Reached) -> None:
        """Wait until all that is wanted is here and proved."""
        news_bytes, checked_ppm = 0, 0
        last_news = time.monotonic()
        next_status, next_look, next_keep = 0.0, 0.5, last_news + _KEEP_INTERVAL_S
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
            if now >= next_keep:
                self._keep(_FLUSH_TIMEOUT_S, clean=False)
                next_keep = time.monotonic() + _KEEP_INTERVAL_S
            if now - last_news > self._settings.idle_timeout_s or self._all_banned() or self._is_drowning(status):
                raise self._given_up(status)

    def flush(self) -> None:
        """Wait until all that has arrived is written: a torrent counts as finished somewhat earlier."""
        if not self._written(_FLUSH_TIMEOUT_S):
            raise self._disk_error(self._report.disk_error or f"not written after {_FLUSH_TIMEOUT_S:g} s")

    def stop(self) -> None:
        """Take no more from peers, and give what has arrived a while to be written. A disk that fails has been told of."""
        self.handle.pause()
        self._keep(_LEAVE_TIMEOUT_S, clean=True)

    def forget(self) -> None:
        """Keep nothing any more: all is here."""
        if self._resume is not None:
            self._resume.forget()
            self._resume = None

    def _keep(self, timeout_s: float, *, clean: bool) -> None:
        """Let what was proved so far be written, and keep what it is for the next run."""
        status = self.handle.status(lt.torrent_handle.query_pieces)
        if self._written(timeout_s) and self._resume is not None and status.state not in _CHECKING:
            self._resume.keep(list(status.pieces), clean=clean)

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
        known = bool(self._peers) and not self._web_seeds
        return self._closed and known and self._report.banned >= set(self._peers)

    def _is_drowning(self, status: lt.torrent_status) -> bool:
        """Return whether a flood is to be fled from. First web seeds are let go of, whose headers libtorrent keeps without end.

        With peers that are known, each can be asked by itself then; among strangers an honest one may still be heard.
        """
        useful_bytes = status.total_payload_download - status.total_redundant_bytes
        overhead_bytes = int(status.total_download - useful_bytes) - self._flood_bytes
        if overhead_bytes <= _OVERHEAD_BYTES_MAX + useful_bytes // 4:
            return False
        if self._web_seeds:
            for address in self._web_seeds:
                self.handle.remove_url_seed(address)
            self._web_seeds = []
            self._flood_bytes += overhead_bytes
            return self._closed and not self._peers
        self._flood_bytes += overhead_bytes if self._peers else 0
        return bool(self._peers)

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
            (self.flooded, (), f"sent {self._flood_bytes} bytes that nobody asked for"),
            (self._is_led_on(), (), "ended its answers early, or led in circles"),
            (bool(self._promised), self._promised, f"promised pieces and sent none of them {waited}"),
        )
        for happened, peers, lie in lies:
            if happened:
                who = ", ".join(sorted(f"{host}:{port}" for host, port in peers)) or "a peer or web seed"
                return TrustError(self._subject, f"{who} {lie}; {have}", "Try other peers; what is here was proved and is kept.")
        reasons = {self._report.lost.get(peer, "") for peer in self._peers} - {""}
        reasons |= {f"{address}: {why}" for address, why in self._report.web_seeds.items()}
        why = f" ({'; '.join(sorted(reasons))})" if reasons else ""
        return SourceError(
            self._subject,
            f"nothing new from any of {len(self._peers)} known peers{why}; {have}",
            "Run the same command again when a peer is up; what is here is kept.",
        )

    def _is_led_on(self) -> bool:
        """Return whether web seeds, and nobody else, were there, and ended the connection again and again."""
        count = self._report.endings[_END_OF_FILE] + self._report.endings[_REDIRECTING]
        return self._closed and not self._peers and bool(self._web_seeds) and count >= _ENDINGS_MIN

    def _disk_error(self, problem: str) -> StoreError:
        return StoreError(self._subject, problem, "Make room or mend the disk; then run the same command again.")


def infohash_of(params: lt.add_torrent_params) -> str:
    """Return the torrent's best infohash, in hexadecimal: by it libtorrent knows duplicates."""
    with wrapped("torrent"):
        hashes = info_of(params).info_hashes()
        return str(hashes.v2 if hashes.has_v2() else hashes.v1)


def _last(reasons: Mapping[Peer, str]) -> str:
    """Return the reason that was given last, "" when none was."""
    return [*reasons.values(), ""][len(reasons) - 1]
