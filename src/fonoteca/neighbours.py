"""Who else has the bytes of an archive: the swarm, and the places that a person names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import urljoin

from fonoteca.edges.clock import SystemClock
from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.http import open_fetch
from fonoteca.edges.mirrors import BlobsMirror, WebSeedMirror
from fonoteca.edges.swarm import LibtorrentSwarm
from fonoteca.edges.swarm_session import SwarmSettings
from fonoteca.edges.trackers import INFOHASH_BYTES, POLITE, Manners, scrape
from fonoteca.editions import FIRST_USE, Anchor, Asked, Heading, IndexEntry, Unkept, believe
from fonoteca.flows.selecting import Appetite
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.formats.metainfo import parse_torrent
from fonoteca.formats.settings import FILE_NAME
from fonoteca.formats.swarmfile import SWARM, SwarmSeen, parse_swarm
from fonoteca.model.errors import FormatError, SourceError, UsageError
from fonoteca.model.ids import DropId
from fonoteca.model.settings import FOLDER_STORE
from fonoteca.model.swarming import Rates, SwarmingSettings
from fonoteca.ports import Blobs, Fetch, Mirror, Swarm, TendedSwarm
from fonoteca.workshop import load_settings, store_blobs


@dataclass(frozen=True, slots=True)
class SwarmChoice:
    """How a command takes part in swarms. host: "" for all addresses of this machine.

    public: look for peers beyond those that are named (DHT, local network, router), as far as the settings let us.
    """

    host: str = "127.0.0.1"
    port: int = 0
    public: bool = False


@contextmanager
def open_swarm(choice: SwarmChoice, swarming: SwarmingSettings | None = None) -> Iterator[TendedSwarm]:
    """Take part in swarms until the context ends; all that was fetched is on disk then. swarming: of the archive that does."""
    own = swarming or SwarmingSettings()
    settings = SwarmSettings(
        listen_host=choice.host,
        listen_port=choice.port,
        dht=choice.public and own.dht,
        lsd=choice.public and own.local_discovery,
        upnp=choice.public and own.port_mapping,
        utp=own.utp,
        rates=Rates(own.upload_bytes_per_s, own.download_bytes_per_s),
        connections_max=own.connections_max,
        ipv6=own.ipv6,
        encryption=own.encryption,
        queued_bytes_max=own.queued_bytes_max,
    )
    with LibtorrentSwarm(settings) as swarm:
        yield swarm


ASKED_TORRENTS_MAX = 3
"""How many torrents are looked into for trackers: all drops of an archive name the same ones, but for what changed meanwhile."""


def census_at(place: str, swarm: TendedSwarm, manners: Manners = POLITE) -> Callable[[Sequence[IndexEntry]], Mapping[DropId, int]]:
    """Return what counts the seeds of an edition's drops, as far as trackers and connected peers tell.

    Trackers: those that the edition's smallest torrents name. A drop of which nobody says anything is left out.
    """

    def count(entries: Sequence[IndexEntry]) -> dict[DropId, int]:
        hashes = {entry.id: _infohashes(entry) for entry in entries}
        trackers = _trackers(open_fetch(edition_place(place)), entries)
        said = scrape(trackers, [each for both in hashes.values() for each in both], manners)
        here = swarm.torrents()
        found: dict[DropId, int] = {}
        for entry in entries:
            now = here.get(entry.infohash_v2)
            known = [said[each] for each in hashes[entry.id] if each in said]
            known += [now.seeds] if now is not None and now.seeds is not None else []
            if known:
                found[entry.id] = max(known)
        return found

    return count


def _infohashes(entry: IndexEntry) -> tuple[bytes, bytes]:
    """Return what trackers call a drop: a hybrid torrent is announced under both (BEP 52)."""
    return bytes.fromhex(entry.infohash_v1), bytes.fromhex(entry.infohash_v2)[:INFOHASH_BYTES]


def _trackers(fetch: Fetch, entries: Sequence[IndexEntry]) -> list[str]:
    """Return the trackers of an edition. A torrent that is not there or not the right one names none: whoever takes it says so."""
    named: list[str] = []
    for entry in sorted(entries, key=lambda each: each.torrent.file_bytes)[:ASKED_TORRENTS_MAX]:
        try:
            torrent = fetch.read(entry.torrent.path, entry.torrent.file_bytes)
            if sha256(torrent).hexdigest() == entry.torrent.sha256:
                named += parse_torrent(torrent).announce.trackers
        except (SourceError, FormatError):
            continue
    return named


def swarm_seen_in(folder: Path) -> SwarmSeen | None:
    """Return what the service of the archive in a folder noted of its swarm, None where none ran. Raises: FormatError."""
    own = DiskBlobs(folder)
    return parse_swarm(own.read(SWARM)) if own.size(SWARM) is not None else None


@dataclass(frozen=True, slots=True)
class Healers:
    """Who is asked for damaged pieces. mirrors: read by ranges, in order. swarm: None where no peer is to be asked."""

    mirrors: tuple[Mirror, ...] = ()
    swarm: Swarm | None = None
    whereabouts: Whereabouts = field(default_factory=Whereabouts)


@contextmanager
def healers_at(places: Sequence[str], name: str) -> Iterator[Healers]:
    """Give who heals, for places that a person names: an archive's folder or a copy of its store, an http(s) URL of an edition or
    of a web seed, or `HOST:PORT` of a peer. Without places: the whole swarm, with its trackers and web seeds.

    name: the archive's, which its torrents have and web seeds go by. Raises: UsageError for a place that is none of these.
    """
    mirrors: list[Mirror] = []
    peers: list[tuple[str, int]] = []
    with ExitStack() as open_now:
        for place in places:
            if "://" in place:
                seed_of = WebSeedMirror(place, web_seed_bases(place, name))
                open_now.callback(seed_of.close)
                mirrors.append(seed_of)
            elif Path(place).is_dir():
                mirrors.append(BlobsMirror(place, _copy_of_store(Path(place))))
            else:
                peers.append(peer_at(place))
        swarm = open_now.enter_context(open_swarm(SwarmChoice(public=not places))) if peers or not places else None
        yield Healers(tuple(mirrors), swarm, Whereabouts(tuple(peers)))


def web_seed_bases(address: str, name: str) -> list[str]:
    """Return where the files of an archive's store may lie for an address that a person gives.

    Of an edition: in the web seed beside it, as our own site has it. Of a web seed (BEP 19): below the torrents' name. Of a plain
    copy of a store: at the address itself.
    """
    folder = address.rstrip("/") + "/"
    beside = urljoin(folder, "../webseed/") + f"{name}/"
    return [beside] if folder.endswith("/editions/") else [f"{folder}{name}/", beside, folder]


def _copy_of_store(folder: Path) -> Blobs:
    """Return the blobs of a mirror in a folder: an archive's store, wherever that is, or a copy of one."""
    if (folder / FILE_NAME).is_file():
        return store_blobs(folder, load_settings(folder))
    return DiskBlobs(folder / FOLDER_STORE if (folder / FOLDER_STORE).is_dir() else folder)


def peer_at(place: str) -> tuple[str, int]:
    """Return the host and port that a text such as `192.0.2.7:6881` names."""
    host, colon, port = place.rpartition(":")
    if not colon or not host or not port.isdecimal():
        remedy = (
            "Name an archive's folder or a copy of its store, an http(s) URL of an edition or a web seed, or HOST:PORT of a peer."
        )
        raise UsageError(place, "not a mirror", remedy)
    return host.strip("[]"), int(port)


def edition_place(place: str) -> str:
    """Return where the edition lies that a person named: an archive's folder has it in `editions/`."""
    if "://" not in place and (Path(place) / FILE_NAME).is_file():
        return str(Path(place) / "editions")
    return place


def edition_heading(place: str, anchor: Anchor = FIRST_USE) -> Heading:
    """Return what the edition at a place says of its archive, whenever it was signed. Raises: TrustError, SourceError."""
    return believe(open_fetch(edition_place(place)).read, Unkept(), Asked(SystemClock().now(), True, anchor)).index.heading


@dataclass(frozen=True, slots=True)
class Mirroring:
    """What a mirror works with: whose edition it reads, the swarm, and who else has the bytes.

    anchor: how it comes to its first root. as_of: it takes an expired edition, too. appetite: how much it takes.
    """

    place: str
    swarm: Swarm
    whereabouts: Whereabouts
    anchor: Anchor = FIRST_USE
    as_of: bool = False
    appetite: Appetite = field(default_factory=Appetite)
