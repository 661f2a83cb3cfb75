"""What must hold of a demo's folders, told by others' programs where there are any."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import libtorrent as lt
import mutagen
import ocfl

from fonoteca.formats.metainfo import v1_only, v2_only

FORMS: Mapping[str, Callable[[bytes], bytes]] = {"hybrid": lambda content: content, "v1": v1_only, "v2": v2_only}
KINDS = ("metadata", "search", "audio", "artwork")
SUMMARY_KEYS = {
    "archive", "mirror", "items", "files", "bytes", "audio_seconds", "refused", "held", "coverage", "drops",
    "mirror_verified", "mirror_files", "damage", "search", "seconds",
}  # fmt: skip
"""Those that issue 2 names, "What a person gets"."""

_CHECK_TIMEOUT_S = 120
_CHECKED_TWICE = 2


@dataclass(frozen=True)
class Payload:
    """A torrent, and the folder that its root name stands for."""

    torrent: bytes
    root: Path

    def files(self) -> dict[Path, int]:
        """Return each file of the torrent, pads left out, and the length that the torrent states."""
        layout = lt.load_torrent_buffer(self.torrent).ti.layout()
        real = [i for i in range(layout.num_files()) if not layout.file_flags(i) & lt.file_storage.flag_pad_file]
        return {self.root.joinpath(*Path(layout.file_path(i)).parts[1:]): layout.file_size(i) for i in real}

    def is_there(self) -> bool:
        """Return whether the folder has each file."""
        return all(path.is_file() for path in self.files())


def payloads(archive: Path, drops: Sequence[Mapping[str, Any]]) -> list[Payload]:
    """Return the torrent of each drop, to be found below `editions/`, and where its payload lies in the archive."""
    found = []
    for drop in drops:
        torrent = (archive / "editions" / drop["torrent"]).read_bytes()
        root = archive / "store"
        if drop["kind"] == "metadata":
            name = lt.load_torrent_buffer(torrent).ti.name()
            named = [path for path in (archive / "catalogue").iterdir() if path.is_dir() and name.endswith(f"-{path.name}")]
            root = max(named, key=lambda path: len(path.name))
        if drop["kind"] == "search":
            root = next(path for path in (archive / "search").iterdir() if path.is_dir() and Payload(torrent, path).is_there())
        found.append(Payload(torrent, root))
    return found


def whole_shares(checked: Sequence[Payload], form: str, scratch: Path) -> list[float]:
    """Return the share of each payload, 0 to 1, that libtorrent finds whole in a full check under its default limits.

    Each torrent gets the folder that a client of another make would have: one of the torrent's name.
    """
    session = lt.session(
        {
            "listen_interfaces": "127.0.0.1:0",
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "alert_mask": lt.alert_category.status | lt.alert_category.error | lt.alert_category.storage,
        }
    )
    handles = [_added(session, payload, FORMS[form], scratch / form / str(i)) for i, payload in enumerate(checked)]
    checks = dict.fromkeys(handles, 0)
    deadline = time.monotonic() + _CHECK_TIMEOUT_S
    while min(checks.values(), default=_CHECKED_TWICE) < _CHECKED_TWICE:
        assert time.monotonic() < deadline, f"not checked: {list(checks.values())}"
        session.wait_for_alert(200)
        for alert in session.pop_alerts():
            assert not isinstance(alert, lt.torrent_error_alert | lt.file_error_alert), alert.message()
            if isinstance(alert, lt.torrent_checked_alert):
                checks[alert.handle] += 1
                if checks[alert.handle] < _CHECKED_TWICE:
                    alert.handle.force_recheck()
    states = [handle.status() for handle in handles]
    assert not any(state.flags & lt.torrent_flags.seed_mode for state in states)
    pieces = [handle.torrent_file().num_pieces() for handle in handles]
    session.pause()
    return [sum(state.pieces) / count for state, count in zip(states, pieces, strict=True)]


def _added(session: lt.session, payload: Payload, form: Callable[[bytes], bytes], folder: Path) -> lt.torrent_handle:
    """Return a torrent's handle after it was added to look, and neither to trust nor to write."""
    params = lt.load_torrent_buffer(form(payload.torrent))
    folder.mkdir(parents=True)
    (folder / params.ti.name()).symlink_to(payload.root.resolve(), target_is_directory=True)
    params.save_path = str(folder)
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused | lt.torrent_flags.seed_mode)
    params.flags |= lt.torrent_flags.upload_mode
    return session.add_torrent(params)


def assert_payload_is_whole(archive: Path, drops: Sequence[Mapping[str, Any]], scratch: Path) -> None:
    """Assert that a full check of every drop reports 100 %, as hybrid, as v1 only and as v2 only."""
    checked = payloads(archive, drops)
    assert checked
    for form in FORMS:
        shares = whole_shares(checked, form, scratch)
        assert shares == [1.0] * len(checked), (form, [drop["id"] for drop in drops], shares)


def assert_valid_ocfl(store: Path) -> None:
    """Assert that ocfl-py finds no error in a storage root and in each of its objects, and no warning but W004."""
    root = ocfl.StorageRoot(root=str(store))
    assert root.validate(log_warnings=True, max_errors=10_000), str(root.log)
    # `validate` answers for the root alone: bad objects are only counted.
    assert root.num_objects == root.good_objects > 0, root.errors
    said = [line for _, text in root.errors for line in text.splitlines() if line.strip()] + str(root.log).splitlines()
    assert all("[W004]" in line for line in said), said
    assert len(said) == root.num_objects, "each object should warn once of its digest algorithm, sha256"


def assert_figures_are_true(summary: Mapping[str, Any]) -> None:
    """Assert that a summary says what is in its folders, as read by programs that are not Fonoteca's."""
    archive = Path(summary["archive"])
    stored = list(stored_files(archive / "store"))
    assert summary["files"] == len(stored)
    assert summary["bytes"] == sum(path.stat().st_size for _, path in stored)
    lengths = [mutagen.File(path).info.length for kind, path in stored if kind == "audio"]
    assert abs(summary["audio_seconds"] - sum(lengths)) < 0.01 * sum(lengths)
    assert 0 < summary["items"] <= len({path.parents[1] for kind, path in stored if kind == "audio"})
    for drop, payload in zip(summary["drops"], payloads(archive, summary["drops"]), strict=True):
        files = payload.files()
        assert (drop["files"], drop["bytes"]) == (len(files), sum(files.values()))
        assert all(path.stat().st_size == size for path, size in files.items())
        hashes = lt.load_torrent_buffer(payload.torrent).ti.info_hashes()
        assert (drop["infohash_v1"], drop["infohash_v2"]) == (str(hashes.v1), str(hashes.v2))
    kept = [drop for drop in summary["drops"] if drop["kind"] not in {"metadata", "search"}]
    assert summary["mirror_files"] == sum(drop["files"] for drop in kept) > 0
    assert summary["mirror_verified"] == summary["mirror_files"]


def stored_files(store: Path) -> Iterator[tuple[str, Path]]:
    """Yield the kind and path of all music and artwork in a storage root, as the objects' inventories tell."""
    for path in sorted(store.glob("*/*/*/*/inventory.json")):
        inventory = json.loads(path.read_bytes())
        kind = inventory["id"].split(":")[2]
        if kind in KINDS:
            names = {name for names in inventory["manifest"].values() for name in names}
            yield from ((kind, path.parent / name) for name in sorted(names) if not name.endswith(".json"))


def assert_drops_are_in_order(drops: Sequence[Mapping[str, Any]]) -> None:
    """Assert that metadata is first, then the search index, then audio by share of listening, then artwork."""
    order = [KINDS.index(drop["kind"]) for drop in drops]
    assert order == sorted(order)
    assert set(order) == {0, 1, 2, 3}
    shares = [drop["coverage_share"] for drop in drops if drop["kind"] == "audio"]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1


def assert_curve_rises(points: Sequence[Mapping[str, float]]) -> None:
    """Assert that the curve goes from nothing to everything, and that the most heard come first."""
    assert [points[0][name] for name in ("share_of_recordings", "share_of_listening", "bytes")] == [0, 0, 0]
    assert [points[-1][name] for name in ("share_of_recordings", "share_of_listening")] == [1, 1]
    for before, after in pairwise(points):
        assert before["share_of_recordings"] < after["share_of_recordings"]
        assert before["share_of_listening"] <= after["share_of_listening"]
        assert before["bytes"] <= after["bytes"]
    assert all(point["share_of_listening"] >= point["share_of_recordings"] - 1e-9 for point in points)


def assert_all_healed(damage: Mapping[str, int]) -> None:
    """Assert that every flip was found and healed, with no more than the damaged pieces fetched again."""
    assert damage["flipped"] == damage["found"] == damage["healed"] > 0
    assert 0 < damage["pieces_refetched"] <= damage["flipped"]
    assert 0 < damage["bytes_refetched"] <= damage["pieces_refetched"] * damage["piece_bytes"]


def assert_mirror_is_the_same(archive: Path, mirror: Path, drops: Sequence[Mapping[str, Any]]) -> None:
    """Assert that every published file has the same sha256 on both, torrents and manifests too."""
    for ours, theirs in zip(payloads(archive, drops), payloads(mirror, drops), strict=True):
        assert ours.torrent == theirs.torrent
        assert [_sha256(path) for path in ours.files()] == [_sha256(path) for path in theirs.files()]
    editions = sorted(path.relative_to(archive / "editions") for path in (archive / "editions").rglob("*") if path.is_file())
    assert editions
    for path in editions:
        assert (archive / "editions" / path).read_bytes() == (mirror / "editions" / path).read_bytes(), path


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def copy_payload(payload: Payload, target: Path) -> Payload:
    """Return the payload of a torrent copied into another folder."""
    for path in payload.files():
        copy = target / path.relative_to(payload.root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return Payload(payload.torrent, target)
