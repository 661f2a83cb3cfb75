"""One libtorrent session: its settings, what it is told, and what it reports, in this project's words.

libtorrent is used through this module and `fonoteca.edges.swarm` only. Its exceptions end here.
"""

from __future__ import annotations

import errno
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import libtorrent as lt

from fonoteca import __version__
from fonoteca.model.errors import FormatError, StoreError, TrustError, UsageError
from fonoteca.model.swarming import SEEDS_MAX, Encryption, Rates, SwarmNow, TorrentNow

Peer = tuple[str, int]
"""Host and port. The host is an address, not a name: libtorrent looks no names up for peers."""

TORRENT_BYTES_MAX = 256 * 2**20
"""libtorrent's own default limit is 10 MB; a drop of 200 GB in pieces of 256 KiB has a torrent of 40 MB."""

_LISTEN_TIMEOUT_S = 10.0
_OTHER_LISTENERS_S = 1.0
"""How long after a failure another of this machine's addresses may still be had: libtorrent opens all at once."""

_OWN_NAMES = ".fonoteca-"
"""How names begin of what fetching keeps beside a torrent's files (`swarm_resume`, `swarm_masks`): no torrent may have them."""

_PREPARE_TIMEOUT_S, _PREPARE_INTERVAL_S = 0.5, 0.002
_WAIT_MS = 200


_POLICY_FORCED, _POLICY_ENABLED, _POLICY_DISABLED = 0, 1, 2
_LEVEL_RC4, _LEVEL_BOTH = 2, 3
_ENCRYPTION: Mapping[Encryption, tuple[int, int]] = {
    Encryption.ALLOWED: (_POLICY_ENABLED, _LEVEL_BOTH),
    Encryption.REQUIRED: (_POLICY_FORCED, _LEVEL_RC4),
    Encryption.OFF: (_POLICY_DISABLED, _LEVEL_BOTH),
}
"""libtorrent's `enc_policy` and `enc_level`. "Required" puts the whole stream under RC4, not the handshake alone."""


@dataclass(frozen=True, slots=True)
class SwarmSettings:
    """How this machine takes part in swarms. Without anything given: quietly, on loopback, with peers it is told of.

    listen_host: "" is all addresses of this machine, of IPv6 too with `ipv6`. listen_port: 0 takes a free one.
    dht, lsd: look for peers in the public DHT, on the local network. upnp: ask the router to let peers in (UPnP and NAT-PMP).
    utp: also talk uTP; see docs/decisions/swarm-settings.md for what it costs.
    idle_timeout_s: without a whole new block of 16 KiB, after which a fetch is given up.
    rates: as `Session.limit` takes them; peers on the local network are not limited, unless `limit_local`.
    queued_bytes_max: what may wait in memory for the disk.
    """

    listen_host: str = "127.0.0.1"
    listen_port: int = 0
    dht: bool = False
    lsd: bool = False
    upnp: bool = False
    utp: bool = False
    idle_timeout_s: float = 60.0
    rates: Rates = field(default_factory=Rates)
    connections_max: int = 500
    ipv6: bool = False
    encryption: str = Encryption.ALLOWED
    queued_bytes_max: int = 100_000_000
    limit_local: bool = False

    @property
    def interfaces(self) -> str:
        """Where to listen, as libtorrent has it."""
        hosts = [self.listen_host] if self.listen_host else ["0.0.0.0", *(["::"] if self.ipv6 else [])]
        return ",".join(f"[{host}]:{self.listen_port}" if ":" in host else f"{host}:{self.listen_port}" for host in hosts)

    def as_libtorrent(self) -> lt.settings_pack:
        """Return libtorrent's settings. Each that differs from its default is measured or reasoned in the decision page."""
        category = lt.alert_category
        policy, level = _ENCRYPTION[Encryption(self.encryption)]
        return {
            "upload_rate_limit": self.rates.upload_bytes_per_s,
            "download_rate_limit": self.rates.download_bytes_per_s,
            "out_enc_policy": policy,
            "in_enc_policy": policy,
            "allowed_enc_level": level,
            "user_agent": f"Fonoteca/{__version__} libtorrent/{lt.__version__}",
            "listen_interfaces": self.interfaces,
            # A port that was asked for is had or refused, never silently another one.
            "max_retry_port_bind": 0,
            "listen_system_port_fallback": False,
            "enable_dht": self.dht,
            "enable_lsd": self.lsd,
            "enable_upnp": self.upnp,
            "enable_natpmp": self.upnp,
            "enable_outgoing_utp": self.utp,
            "enable_incoming_utp": self.utp,
            "connections_limit": self.connections_max,
            "max_queued_disk_bytes": self.queued_bytes_max,
            # Mirrors behind one address, and two sessions on one machine, are several peers.
            "allow_multiple_connections_per_ip": True,
            # Connect as soon as libtorrent's second comes round: a drop of 170 MB took half its time to begin.
            "smooth_connects": False,
            "tick_interval": 100,
            # A peer that went away (a seed that checks itself does) is asked again after a second, not a minute.
            "min_reconnect_time": 1,
            # A seed that checks itself has nothing for us for a moment; known peers are few, so none is sent away for that.
            "close_redundant_connections": False,
            "max_failcount": 100,
            # No queue of torrents: what is added runs.
            "active_downloads": -1,
            "active_seeds": -1,
            "active_limit": -1,
            "alert_queue_size": 10_000,
            "alert_mask": category.error | category.status | category.storage | category.connect | category.peer,
        }


@dataclass(slots=True)
class Report:
    """What libtorrent has told of one torrent since the last look.

    pieces: that were read, or why not. banned: peers that sent bad bytes. lost: the last reason of each lost connection.
    endings: why connections were lost, and how often. broken: peers that broke the protocol, and how.
    web_seeds: addresses of those that did not give what was asked, and why.
    """

    finished: bool = False
    flushed: bool = False
    removed: bool = False
    hash_failures: int = 0
    disk_error: str = ""
    pieces: dict[int, bytes | str] = field(default_factory=dict)
    banned: set[Peer] = field(default_factory=set)
    lost: dict[Peer, str] = field(default_factory=dict)
    endings: Counter[str] = field(default_factory=Counter)
    broken: dict[Peer, str] = field(default_factory=dict)
    web_seeds: dict[str, str] = field(default_factory=dict)


class Session:
    """A libtorrent session that listens."""

    def __init__(self, settings: SwarmSettings) -> None:
        with wrapped("swarm"):
            self._session = lt.session(settings.as_libtorrent())
        if settings.limit_local:
            self._session.set_peer_class_filter(_everybody_limited())
        self._resting = False
        self.address = (settings.listen_host or "0.0.0.0", self._await_port(settings))
        self.limit(settings.rates)

    @property
    def resting(self) -> bool:
        """Whether nothing goes in or out now."""
        return self._resting

    def limit(self, rates: Rates) -> None:
        """Let this much go each way from now on. Resting lets go of all peers; they come back when it ends."""
        with wrapped("swarm"):
            limits = {"upload_rate_limit": rates.upload_bytes_per_s, "download_rate_limit": rates.download_bytes_per_s}
            self._session.apply_settings(cast("lt.settings_pack", limits))
            if rates.resting != self._resting:
                self._resting = rates.resting
                if rates.resting:
                    self._session.pause()
                else:
                    self._session.resume()

    def now(self) -> SwarmNow:
        """Return what goes on. uploaded_bytes and downloaded_bytes: of the torrents that are here now. Cost: 2 us a torrent."""
        with wrapped("swarm"):
            found = self._session.get_torrent_status(_any_torrent, 0)
        return SwarmNow(
            torrents=len(found),
            peers=sum(each.num_peers for each in found),
            upload_bytes_per_s=sum(each.upload_payload_rate for each in found),
            download_bytes_per_s=sum(each.download_payload_rate for each in found),
            uploaded_bytes=sum(each.total_payload_upload for each in found),
            downloaded_bytes=sum(each.total_payload_download for each in found),
            resting=self._resting,
        )

    def torrents(self) -> dict[str, TorrentNow]:
        """Return what is known of each torrent, by its v2 infohash: what trackers said when it was announced, and known peers."""
        with wrapped("swarm"):
            found = self._session.get_torrent_status(_any_torrent, 0)
        return {
            str(each.info_hashes.v2): TorrentNow(_seeds(each), each.num_peers, each.total_payload_upload)
            for each in found
            if each.info_hashes.has_v2()
        }

    def add(self, params: lt.add_torrent_params) -> lt.torrent_handle:
        """Add a torrent and run it at once, outside libtorrent's queue.

        One with peers is added paused, and resumed when libtorrent has looked at its files: it connects to known peers when a
        torrent is resumed (`torrent::do_resume`), and else only once a second, which took a drop of 120 MB half of its time.
        """
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        params.flags |= lt.torrent_flags.duplicate_is_error
        if params.peers:
            params.flags |= lt.torrent_flags.paused
        with wrapped(params.ti.name() if params.ti else "swarm"):
            handle = self._session.add_torrent(params)
            if params.peers:
                _await_prepared(handle)
                handle.resume()
            return handle

    def remove(self, handle: lt.torrent_handle) -> None:
        """Let go of a torrent; its files stay."""
        if handle.is_valid():
            self._session.remove_torrent(handle)

    def listen_to(self, handle: lt.torrent_handle, report: Report, wait_ms: int = _WAIT_MS) -> None:
        """Wait a moment for news of a torrent and add it to the report. News of others is dropped."""
        if not self._session.wait_for_alert(wait_ms):
            return
        for alert in self._session.pop_alerts():
            if isinstance(alert, lt.torrent_alert) and alert.handle == handle:
                _note(alert, report)

    def close(self) -> None:
        """Leave all swarms. Waits until libtorrent has let go of every file."""
        self._session.pause()
        del self._session

    def _await_port(self, settings: SwarmSettings) -> int:
        """Return the port when it is listened on. A machine need not have both kinds of addresses, but no port may be another's."""
        deadline = time.monotonic() + _LISTEN_TIMEOUT_S
        reason = f"no answer within {_LISTEN_TIMEOUT_S:g} s"
        taken = False
        while time.monotonic() < deadline and not taken:
            self._session.wait_for_alert(_WAIT_MS)
            alerts = self._session.pop_alerts()
            for failed in (alert for alert in alerts if isinstance(alert, lt.listen_failed_alert)):
                reason = failed.error.message()
                taken = taken or failed.error.value() in (errno.EADDRINUSE, errno.EACCES)
                deadline = min(deadline, time.monotonic() + _OTHER_LISTENERS_S)
            if not taken and any(isinstance(alert, lt.listen_succeeded_alert) for alert in alerts):
                return self._session.listen_port()
        raise UsageError(
            f"{settings.listen_host}:{settings.listen_port}",
            f"cannot listen for peers there: {reason}",
            "Choose another address or port; port 0 takes a free one.",
        )


def _everybody_limited() -> lt.ip_filter:
    """Return the filter by which all peers are of libtorrent's first class, which its limits are for."""
    everybody = lt.ip_filter()
    everybody.add_rule("0.0.0.0", "255.255.255.255", 1)
    everybody.add_rule("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1)
    return everybody


def _seeds(status: lt.torrent_status) -> int | None:
    """Return how many have a torrent whole; libtorrent has -1 where no tracker said it, and counts the peers that it heard of."""
    told = status.num_complete if 0 <= status.num_complete <= SEEDS_MAX else 0
    known = max(told, status.list_seeds, status.num_seeds)
    return known if known or status.num_complete == 0 else None


def _any_torrent(_: lt.torrent_status) -> bool:
    """Take every torrent."""
    return True


def _await_prepared(handle: lt.torrent_handle) -> None:
    """Wait until a torrent could take peers, or not much longer: it then begins a second later, no worse."""
    deadline = time.monotonic() + _PREPARE_TIMEOUT_S
    while handle.status().state == lt.torrent_status.states.checking_resume_data and time.monotonic() < deadline:
        time.sleep(_PREPARE_INTERVAL_S)


def _note(alert: lt.torrent_alert, report: Report) -> None:
    if isinstance(alert, lt.read_piece_alert):
        failed = alert.error.value() != 0
        report.pieces[alert.piece] = alert.error.message() if failed else bytes(alert.buffer)
    elif isinstance(alert, lt.torrent_finished_alert):
        report.finished = True
    elif isinstance(alert, lt.cache_flushed_alert):
        report.flushed = True
    elif isinstance(alert, lt.torrent_removed_alert):
        report.removed = True
    elif isinstance(alert, lt.hash_failed_alert):
        report.hash_failures += 1
    elif isinstance(alert, lt.peer_ban_alert):
        report.banned.add(alert.endpoint)
    elif isinstance(alert, lt.peer_error_alert):
        report.broken[alert.endpoint] = alert.error.message()
    elif isinstance(alert, lt.url_seed_alert):
        report.web_seeds[alert.server_url()] = alert.error_message() or alert.error.message()
    elif isinstance(alert, lt.peer_disconnected_alert):
        report.lost[alert.endpoint] = alert.error.message()
        report.endings[alert.error.message()] += 1
    elif isinstance(alert, (lt.file_error_alert, lt.torrent_error_alert)):
        report.disk_error = alert.message()


def load_torrent(torrent: bytes, root: Path) -> lt.add_torrent_params:
    """Return what is needed to add a torrent whose files lie below `root`, the torrent's own name left out.

    Raises: FormatError when libtorrent does not take it, TrustError when it has links or a path that leaves `root`.
    """
    limits = {"max_buffer_size": TORRENT_BYTES_MAX}
    try:
        params = lt.load_torrent_buffer(torrent, limits)  # type: ignore[call-overload]
    except RuntimeError as error:
        raise FormatError("torrent", f"libtorrent does not take it: {error}", "Fetch the torrent file again.") from error
    assert isinstance(params, lt.add_torrent_params)
    params.save_path = str(root)
    params.renamed_files = {index: path for index, path, _ in payload_files(params)}
    return params


def payload_files(params: lt.add_torrent_params) -> Iterator[tuple[int, str, int]]:
    """Yield libtorrent's file index, the path below the root and the length of each file, pad files left out.

    Raises: TrustError for links, for paths that leave the root, and for names that this program keeps for itself.
    """
    layout = info_of(params).layout()
    for index in range(layout.num_files()):
        flags = layout.file_flags(index)
        if flags & lt.file_storage.flag_pad_file:
            continue
        whole = layout.file_path(index).split("/")
        parts = whole[1:] or whole
        if flags & lt.file_storage.flag_symlink or "" in whole or ".." in whole:
            problem = f"{'/'.join(parts)}: a link, or a path that leaves its folder"
            raise TrustError(f"torrent {layout.name()}", problem, "Do not use it.")
        if parts[0].casefold().startswith(_OWN_NAMES):
            problem = f"{'/'.join(parts)}: a name that Fonoteca keeps for itself"
            raise TrustError(f"torrent {layout.name()}", problem, "Do not use it.")
        yield index, "/".join(parts), layout.file_size(index)


def info_of(params: lt.add_torrent_params) -> lt.torrent_info:
    """Return the metainfo, which a torrent file always brings and only a magnet link would not."""
    assert params.ti is not None
    return params.ti


def piece_payload(info: lt.torrent_info, piece: int, content: bytes) -> bytes:
    """Return a piece's bytes without those of pad files.

    With file-aligned pieces, which hybrid torrents have (BEP 52), this is a part of exactly one file.
    """
    layout = info.layout()
    parts = []
    position = 0
    for part in info.map_block(piece, 0, len(content)):
        if not layout.file_flags(part.file_index) & lt.file_storage.flag_pad_file:
            parts.append(content[position : position + part.size])
        position += part.size
    return b"".join(parts)


def check_peers(peers: Sequence[Peer]) -> list[Peer]:
    """Return the peers as libtorrent takes them. Raises: UsageError for a port that is none."""
    for host, port in peers:
        if not 0 < port < 65536:
            raise UsageError(f"{host}:{port}", "not a port from 1 to 65535", "Give the port that the peer listens on.")
    return list(peers)


@contextmanager
def wrapped(subject: str) -> Iterator[None]:
    """Turn what libtorrent raises into a StoreError about `subject`."""
    try:
        yield
    except RuntimeError as error:
        raise StoreError(subject, f"libtorrent failed: {error}", "Run the same command again.") from error
