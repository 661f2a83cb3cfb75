"""Export as RO-Crates 1.1: each object's newest state, described for machines in ro-crate-metadata.json."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from fonoteca.flows.export_bags import NOTICE_FILE
from fonoteca.flows.exporting import Cleared, Copied, Exported, ExportRooms, Place, clear, copy_files, write_file
from fonoteca.formats.strictjson import json_bytes
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Kind

VERSION = "1.1"
DESCRIPTOR = "ro-crate-metadata.json"
TAKEN = (DESCRIPTOR, "ro-crate-metadata.jsonld", "ro-crate-preview.html", "ro-crate-preview_files", NOTICE_FILE)
"""Names that RO-Crate 1.1 section 3.1 and we keep for other things than music."""

_TERMS = {"sha256": "http://schema.org/sha256", "creditText": "http://schema.org/creditText"}
"""Not in the context of RO-Crate 1.1, which is older than they are."""
_TYPES = {Kind.AUDIO: ["File", "AudioObject", "MusicRecording"], Kind.ARTWORK: ["File", "ImageObject"]}


def export_crates(rooms: ExportRooms, object_ids: Sequence[ObjectId], place: Place) -> Iterator[Exported]:
    """Yield each object after its crate is in a folder of its own below the place.

    Raises: RightsError before anything is written; FixityError for a damaged file; StoreError when the disk fails.
    """
    for one in clear(rooms, object_ids):
        here = Place(place.staging, place.folder / one.folder)
        copied = copy_files(rooms, one, here, TAKEN)
        if one.record.notices:
            write_file(here, NOTICE_FILE, f"{one.record.notices}\n".encode())
        write_file(here, DESCRIPTOR, json_bytes(_described(rooms, one, copied), DESCRIPTOR))
        yield Exported(one.object_id, one.version, one.folder, copied)


def _described(rooms: ExportRooms, one: Cleared, copied: Sequence[Copied]) -> dict[str, Any]:
    """Return ro-crate-metadata.json as JSON-LD."""
    from rocrate.rocrate import ContextEntity, ROCrate  # here: it takes most of a second to load, and no other command needs it

    crate = ROCrate(version=VERSION)
    crate.metadata.extra_terms.update(_TERMS)
    made: dict[str, Any] = {}

    def entity(identifier: str, kind: str, name: str) -> Any:
        if identifier not in made:
            made[identifier] = crate.add(ContextEntity(crate, identifier, properties={"@type": kind, "name": name}))
        return made[identifier]

    record, metadata = one.record, one.metadata
    terms: dict[str, Any] = {"license": entity(record.licence_uri, "CreativeWork", one.admission.licence.name)}
    if record.attribution:
        terms["creditText"] = record.attribution
    if re.match(r"https?://\S+\Z", metadata.source_uri):
        terms["isBasedOn"] = entity(metadata.source_uri, "CreativeWork", f"where {one.object_id} comes from")
    about = {
        "name": metadata.title or one.object_id,
        "description": f"{one.attributes or one.object_id}: version {one.version} of {one.object_id}, as {rooms.title} holds it",
        "identifier": one.object_id,
        "version": f"v{one.version}",
        "datePublished": rooms.clock.now().isoformat(),
        "publisher": entity("#archive", "Organization", rooms.title),
        **terms,
    }
    if metadata.artist:
        about["author"] = entity("#artist", "MusicGroup", metadata.artist)
    for label, value in about.items():
        crate.root_dataset[label] = value
    for number, file in enumerate(copied, 1):
        said = _file(one, file) | (terms if file.stored else {})
        artist = file.stored.tags.artist if file.stored and file.stored.tags else ""
        if artist or (file.stored and metadata.kind is Kind.AUDIO and metadata.artist):
            same = artist in ("", metadata.artist)
            said["byArtist"] = entity("#artist" if same else f"#artist-{number}", "MusicGroup", artist or metadata.artist)
        crate.add_file(dest_path=file.name, properties=said)
    if record.notices:
        crate.add_file(dest_path=NOTICE_FILE, properties={"name": "notices", "encodingFormat": "text/plain"})
    described: dict[str, Any] = crate.metadata.generate()
    return described


def _file(one: Cleared, file: Copied) -> dict[str, Any]:
    """Return what is said of a file, but for its terms and its artist. Lengths are text: RO-Crate 1.1 section 4.2.1 has them so."""
    said: dict[str, Any] = {
        "name": file.logical_path,
        "encodingFormat": "application/json",
        "contentSize": str(file.file_bytes),
        "sha256": file.sha256,
        "identifier": f"{one.object_id} v{one.version} {file.logical_path}",
    }
    if file.stored is None:
        return said
    said |= {"@type": _TYPES[one.metadata.kind], "encodingFormat": file.stored.media_type}
    if file.stored.probe is not None:
        seconds, thousandths = divmod(file.stored.probe.duration_ms, 1000)
        said["duration"] = f"PT{seconds}.{thousandths:03d}S"
    tags = file.stored.tags
    if tags is not None and tags.title:
        said |= {"name": tags.title, "alternateName": file.logical_path}
    if tags is not None and len(tags.isrcs) == 1:
        said["isrcCode"] = tags.isrcs[0]
    return said
