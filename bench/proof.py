"""What others say of an archive and its mirror: ocfl-py of the storage roots, libtorrent of every torrent."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import libtorrent as lt
import ocfl  # type: ignore[import-untyped]

from bench.report import Figure, Goal
from fonoteca.formats.metainfo import parse_torrent, v1_only, v2_only

_CHECK_TIMEOUT_S = 120.0
_CODE = re.compile(r"\[([EW]\d{3}\w?)\]")
_EXPECTED_WARNING = "W004"
_FORMS: dict[str, Callable[[bytes], bytes]] = {"hybrid": bytes, "v1 only": v1_only, "v2 only": v2_only}


def prove(label: str, archive: Path, mirror: Path, scratch: Path) -> list[Figure]:
    """Return how many errors and warnings ocfl-py finds, and the least share of a torrent that libtorrent finds whole."""
    codes = sum((_codes(folder / "store") for folder in (archive, mirror)), Counter[str]())
    errors = sum(count for code, count in codes.items() if not code.startswith("W"))
    warnings = sum(count for code, count in codes.items() if code.startswith("W") and code != _EXPECTED_WARNING)
    none = Goal(0, at_most=True)
    shares = []
    for number, folder in enumerate((archive, mirror)):
        place = scratch / f"links-{number}"
        place.mkdir()
        shares += list(_shares(folder, place))
    return [
        Figure(f"{label}: errors that ocfl-py finds, archive and mirror", errors, "", goal=none),
        Figure(f"{label}: its warnings other than {_EXPECTED_WARNING}", warnings, "", goal=none),
        Figure(f"{label}: least found whole in {len(shares)} full checks by libtorrent", 100 * min(shares), "%", goal=Goal(100)),
    ]


def _codes(root: Path) -> Counter[str]:
    """Return how often ocfl-py gives each code of the OCFL validation codes, every digest computed."""
    storage = ocfl.StorageRoot(root=str(root))
    sound = storage.validate(log_warnings=True, log_errors=False)
    said = [message for _, message in storage.errors] + [str(message) for message in storage.log.messages]
    codes = Counter(code for message in said for code in _CODE.findall(message))
    bad_objects = storage.num_objects - storage.good_objects
    if not sound or bad_objects or not storage.num_objects:
        codes["invalid"] += max(1, bad_objects)
    return codes


def _shares(folder: Path, place: Path) -> Iterator[float]:
    """Yield the share, 0 to 1, that a full check finds of each torrent, as hybrid, v1 only and v2 only.

    place: gets links by which a torrent's own name leads to the bytes, as it would for anyone's client.
    """
    session = lt.session(
        {"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False}
    )
    snapshots = sorted(path for path in (folder / "catalogue").iterdir() if path.is_dir())
    for path in sorted((folder / "editions").rglob("*.torrent")):
        content = path.read_bytes()
        name = parse_torrent(content).name
        link = place / name
        if not link.is_symlink():
            link.symlink_to(next((each for each in snapshots if name.endswith(each.name)), folder / "store"))
        for form in _FORMS.values():
            yield _share(session, form(content), place)


def _share(session: lt.session, content: bytes, place: Path) -> float:
    """Return the share of a torrent that libtorrent finds whole: loaded under its default limits, every byte read."""
    params = lt.load_torrent_buffer(content)
    params.save_path = str(place)
    # Upload mode: a check that finds damage must not begin to mend it.
    params.flags = lt.torrent_flags.upload_mode
    handle = session.add_torrent(params)
    checking = (lt.torrent_status.states.checking_files, lt.torrent_status.states.checking_resume_data)
    deadline = time.monotonic() + _CHECK_TIMEOUT_S
    while (status := handle.status()).state in checking and time.monotonic() < deadline:
        time.sleep(0.02)
    session.remove_torrent(handle)
    return float(status.progress)
