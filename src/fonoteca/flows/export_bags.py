"""Export as bags (BagIt 0.97, which the `bagit` library writes): each object's newest state, with what lets it be held."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence

import bagit

from fonoteca import __version__
from fonoteca.flows.exporting import Cleared, Copied, Exported, ExportRooms, Place, clear, copy_files, write_file
from fonoteca.model.errors import FixityError, StoreError
from fonoteca.model.ids import ObjectId

ALGORITHMS = ("sha256", "sha512")
NOTICE_FILE = "NOTICE.txt"
"""Legal text that goes with copies, beside the payload."""

logging.getLogger("bagit").propagate = False  # what it says there, its errors say too
logging.getLogger("bagit").addHandler(logging.NullHandler())


def export_bags(rooms: ExportRooms, object_ids: Sequence[ObjectId], place: Place) -> Iterator[Exported]:
    """Yield each object after its bag is in a folder of its own below the place, valid and proved.

    Raises: RightsError before anything is written; FixityError for a damaged file; StoreError when the disk fails.
    """
    for one in clear(rooms, object_ids):
        here = Place(place.staging, place.folder / one.folder)
        copied = copy_files(rooms, one, here)
        _make_bag(rooms, one, here, copied)
        yield Exported(one.object_id, one.version, one.folder, copied)


def _make_bag(rooms: ExportRooms, one: Cleared, place: Place, copied: Sequence[Copied]) -> None:
    """Make the bag of a folder of files. The library reads them again: what it finds must be what was copied."""
    try:
        bag = bagit.make_bag(os.fspath(place.folder), _info(rooms, one, copied), checksums=list(ALGORITHMS))
        if one.record.notices:
            write_file(place, NOTICE_FILE, f"{one.record.notices}\n".encode())
            bag.save()
        found = {path: digests["sha256"] for path, digests in bag.payload_entries().items()}
        bag.validate(completeness_only=True)
    except (OSError, RuntimeError, bagit.BagError) as error:
        raise StoreError(one.object_id, f"its copy could not be made into a bag: {error}", "Check the disk it goes to.") from error
    expected = {f"data/{file.name}": file.sha256 for file in copied}
    if found != expected:
        wrong = min(path for path in {*found, *expected} if found.get(path) != expected.get(path))
        problem = f"expected sha256 {expected.get(wrong, 'of no such file')}, found {found.get(wrong, 'no such file')} in the copy"
        raise FixityError(f"{one.object_id}: {wrong}", problem, "Check the disk that it was exported to, then export again.")


def _info(rooms: ExportRooms, one: Cleared, copied: Sequence[Copied]) -> dict[str, str | list[str]]:
    """Return the labels and values of bag-info.txt; the library adds Payload-Oxum."""
    record, metadata = one.record, one.metadata
    said = {
        "Source-Organization": rooms.title,
        "External-Identifier": one.object_id,
        "Internal-Sender-Identifier": f"{one.object_id} v{one.version}",
        "External-Description": one.attributes,
        "Title": metadata.title,
        "Artist": metadata.artist,
        "License": record.licence_uri,
        "Attribution": record.attribution,
        "Source-URI": metadata.source_uri,
        "Bagging-Date": rooms.clock.now().date().isoformat(),
        "Bag-Software-Agent": f"fonoteca {__version__}, bagit.py {bagit.VERSION}",
    }
    lines: dict[str, str | list[str]] = {label: line for label, value in said.items() if (line := _one_line(value))}
    renamed = [_one_line(f"{file.name} = {file.logical_path!r}") for file in copied if file.name != file.logical_path]
    return lines | ({"Renamed": renamed} if renamed else {})


def _one_line(text: str) -> str:
    """Return text without line ends of any kind: to some readers each begins a new label."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
