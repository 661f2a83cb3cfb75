"""What follows from the inputs by arithmetic: counts, sizes, dollars, and how long each stage of the ingest would take alone."""

from __future__ import annotations

from dataclasses import dataclass

from bench.paper_ingest import DOCUMENTS_WITH_CONTENT, STEPS_AFTER, file_core_s
from bench.paper_inputs import DAY_S, GB, TB, Inputs, requests, storage_price
from fonoteca.flows.audit import BATCH_BYTES
from fonoteca.flows.batches import BYTES_AT_ONCE_MAX
from fonoteca.flows.checks import FILES_AT_ONCE
from fonoteca.formats.metainfo import LOADABLE_TORRENT_BYTES_MAX
from fonoteca.model.settings import EditionSettings

DOCUMENTS = 4
"""Of an object, in its version's folder: metadata.json, rights.json, inventory, sidecar."""

HASHES_A_PIECE = 20 + 32
"""Bytes in a hybrid torrent for each piece of a file: SHA-1, and a node of the piece layer."""

MONTHS = 12
LOOKS_A_YEAR = {"each day": 365, "each week": 52}


@dataclass(frozen=True, slots=True)
class Stage:
    """How long the whole ingest would take if only this bounded it, why, and what to do."""

    name: str
    days: float
    why: str
    remedy: str


def objects(given: Inputs) -> float:
    """Return how many objects hold all files."""
    return given["files"] / given["songs"]


def files_of_store(given: Inputs) -> float:
    """Return the files that versions have, documents too: what the register and editions list."""
    return given["files"] + DOCUMENTS * objects(given)


def batches(given: Inputs) -> float:
    """Return how many batches make everything durable: a gigabyte each, as albums are never so small that 1,000 come first."""
    return given["bytes"] / BYTES_AT_ONCE_MAX


def register_bytes(given: Inputs, engine: str) -> float:
    """Return the register's size after the ingest."""
    return files_of_store(given) * given[f"{engine}_file_bytes"]


def torrent_bytes(given: Inputs) -> float:
    """Return the size of all torrents: a line for each file, and hashes for each piece of the long ones."""
    pieces = given["bytes"] / given["files"] / given["piece_bytes"] + 0.5  # the last is half full in the mean
    return files_of_store(given) * given["torrent_file_bytes"] + given["files"] * pieces * HASHES_A_PIECE


def edition_drops(given: Inputs) -> float:
    """Return how many drops an edition has, by whichever of its limits is met first."""
    limits = EditionSettings()
    return max(
        files_of_store(given) / limits.drop_files_max,
        given["bytes"] / limits.drop_bytes_max,
        torrent_bytes(given) / LOADABLE_TORRENT_BYTES_MAX,
    )


def _asked(deed: str, kinds: tuple[str, ...]) -> float:
    counted = requests(deed)
    return sum(counted[kind] for kind in kinds)


_WRITES, _READS = ("PUT", "POST"), ("GET", "HEAD")


def ingest_requests(given: Inputs) -> tuple[float, float]:
    """Return writes and reads of S3 while everything is taken in."""
    return tuple(  # type: ignore[return-value]
        batches(given) * _asked("acquire_batch", kinds)
        + objects(given) * _asked("acquire_object", kinds)
        + given["files"] * _asked("acquire_file", kinds)
        for kinds in (_WRITES, _READS)
    )


def _reads(given: Inputs, deed: str) -> float:
    """Return the GET and HEAD of an audit, or of a look at what is not due."""
    return objects(given) * _asked(f"{deed}_object", _READS) + given["files"] * _asked(f"{deed}_file", _READS)


def listing_requests(given: Inputs) -> float:
    """Return the LIST of an audit that looks for objects which the register does not know: one a thousand blobs."""
    blobs = given["files"] + (DOCUMENTS_WITH_CONTENT + STEPS_AFTER) * objects(given)
    return blobs / 1000


def ingest_stages(given: Inputs) -> list[Stage]:
    """Return what bounds an ingest by one driver, the slowest first."""
    items = given["files"], objects(given)
    blobs = items[0] + (DOCUMENTS_WITH_CONTENT + STEPS_AFTER) * items[1]
    driven_s = items[0] * (given["ray_item_ms"] + given["driver_file_ms"]) / 1000
    driven_s += items[1] * given["driver_object_ms"] / 1000 + blobs * given["blob_ms"] / 1000
    published_s = files_of_store(given) * given["publish_file_ms"] / 1000
    whole = given["bytes"]
    apart = "archives side by side, each with a driver of its own"
    stages = [
        Stage("what sources give", whole / given["uplink"] / DAY_S, "10 Gbit/s", "more uplink, and the sources' leave"),
        Stage(
            "processors of 40 nodes",
            items[0] * file_core_s(given) / given["nodes"] / given["cores"] / DAY_S,
            "hash, decode",
            "none needed",
        ),
        Stage("shared staging", whole / given["staging_speed"] / DAY_S, "written by nodes, read by the driver", apart),
        Stage("the driver's processor", driven_s / DAY_S, "Python hands out, plans, puts, records: one core", apart),
        Stage("the driver's network", whole / given["node_network"] / DAY_S, "all bytes go through it to S3", apart),
        Stage("puts to S3 in the same room", _puts_s(given, "near_latency_s") / DAY_S, "16 at once; five steps a batch", apart),
        Stage(
            "puts to S3 in the cloud",
            _puts_s(given, "cloud_latency_s") / DAY_S,
            "16 at once, 0.1 s each; five steps a batch",
            f"{apart}; more puts at once",
        ),
        Stage("rows in PostgreSQL", items[1] / given["postgres_objects"] / DAY_S, "one transaction a batch", "none needed"),
        Stage("waiting for the disk", 2 * batches(given) * given["sync_s"] / DAY_S, "two waits a batch of 1 GB", "none needed"),
        Stage(
            "publishing, afterwards", published_s / DAY_S, "one process plans and cuts", "publish as it grows: drops never change"
        ),
    ]
    return sorted(stages, key=lambda stage: -stage.days)


def _puts_s(given: Inputs, latency_key: str) -> float:
    """Return seconds of all puts by one driver."""
    at_once, latency_s = given["puts_at_once"], given[latency_key]
    first = given["files"] + DOCUMENTS_WITH_CONTENT * objects(given)
    after = STEPS_AFTER * objects(given)
    return (first + after) * latency_s / at_once + given["bytes"] / min(at_once * given["connection"], given["node_network"])


def audit_days(given: Inputs, latency_key: str) -> float:
    """Return how long 40 nodes take to prove everything on S3: the longest of reading, hashing, and what the driver does."""
    cores = given["nodes"] * given["cores"]
    read_s = _reads(given, "audit") * given[latency_key] / cores + given["bytes"] / min(
        cores * given["connection"], given["nodes"] * given["node_network"]
    )
    hash_s = given["bytes"] / given["sha256"] / cores
    drive_s = files_of_store(given) * given["audit_file_ms"] / 1000 + given["bytes"] / BATCH_BYTES * given["ray_item_ms"] / 1000
    return max(read_s + hash_s, drive_s) / DAY_S


def costs(given: Inputs) -> list[tuple[str, float, str]]:
    """Return the figures that the page begins with: name, value, unit."""
    writes, reads = ingest_requests(given)
    audits, looks = _reads(given, "audit"), _reads(given, "look")
    put, get = given["put_price"] / 1000, given["get_price"] / 1000
    cycles = 365 / given["cycle_days"]
    singles = given.having(songs=1.0)
    single_writes, single_reads = ingest_requests(singles)
    records = files_of_store(given)
    beside = objects(given) * given["object_bytes"] + given["files"] * given["file_bytes"]
    disk_s = given["disk_bytes"] / given["disk_speed"]
    return [
        ("objects", objects(given) / 1e6, "M"),
        ("files of the store, documents too", records / 1e6, "M"),
        ("processors: all files, hashed and decoded", given["files"] * file_core_s(given) / 3600, "core hours"),
        ("documents beside the music, on S3", beside / GB, "GB"),
        ("ingest: PUT and POST", writes / 1e6, "M"),
        ("ingest: HEAD", reads / 1e6, "M"),
        ("ingest: price of its requests", writes * put + reads * get, "USD"),
        ("the same, one file an object", single_writes * put + single_reads * get, "USD"),
        ("storage on S3 Standard, a month", storage_price(given["bytes"] + beside), "USD"),
        ("one audit of everything: GET and HEAD", audits / 1e6, "M"),
        ("one audit: LIST", listing_requests(given) / 1e6, "M"),
        ("one audit: price of its requests", audits * get + listing_requests(given) * put, "USD"),
        ("one audit by 40 nodes, S3 in the same room", audit_days(given, "near_latency_s") * 24, "hours"),
        ("one audit by 40 nodes, S3 in the cloud", audit_days(given, "cloud_latency_s") * 24, "hours"),
        ("one audit of a mirror on its own disks, all at once", disk_s / 3600, "hours"),
        ("audits in the mean, all the time", given["bytes"] / (given["cycle_days"] * DAY_S) / 1e6, "MB/s"),
        ("a look at all that is not due: HEAD", looks / 1e6, "M"),
        *(
            (f"audits and looks {often}, a year", cycles * audits * get + count * looks * get, "USD")
            for often, count in LOOKS_A_YEAR.items()
        ),
        ("register on SQLite", register_bytes(given, "sqlite") / GB, "GB"),
        ("register on PostgreSQL", register_bytes(given, "postgres") / GB, "GB"),
        ("rows of checks, a year", cycles * records * given["audit_register_bytes"] / GB, "GB"),
        ("event log of checks, a year", cycles * records * given["audit_log_bytes"] / GB, "GB"),
        ("event log of checks, a year: segments", cycles * records / FILES_AT_ONCE / 1e6, "M"),
        ("an edition: drops", edition_drops(given), ""),
        ("an edition: torrents", torrent_bytes(given) / GB, "GB"),
        ("an edition: manifests", records * given["manifest_file_bytes"] / GB, "GB"),
        ("bytes held", given["bytes"] / TB, "TB"),
    ]
