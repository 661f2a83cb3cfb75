"""How a snapshot is cited: a stable id, whom it is made of, and what may be done with it. Pure.

The id comes from the snapshot's own digests, so the same snapshot is cited the same whoever exports it, in whatever format, and
who has the files can prove that they are the ones that were cited.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from fonoteca.catalogue.snapshots import FORMAT as SNAPSHOT_FORMAT
from fonoteca.catalogue.sourcefile import parse_json, parse_snapshot_source, to_json
from fonoteca.model.catalogue import SnapshotSource
from fonoteca.model.errors import StoreError

ID_DIGITS = 16
"""64 bits of SHA-256: no two snapshots of anybody's will share them by chance."""
_CITATION_ID = "urn:fonoteca:catalogue:{name}:{digits}"
MADE_UP = "Any share of listening in it is synthetic: made up, it measures nobody's ears."


@dataclass(frozen=True, slots=True)
class Citation:
    """A snapshot as others cite it. digest: SHA-256 of its snapshot.json, in which the digests of all its files are."""

    name: str
    digest: str
    recording_count: int
    synthetic: bool
    sources: tuple[SnapshotSource, ...]

    @property
    def id(self) -> str:
        """Return the citable id, such as `urn:fonoteca:catalogue:2026-01-31:0123456789abcdef`."""
        return _CITATION_ID.format(name=self.name, digits=self.digest[:ID_DIGITS])

    @property
    def date(self) -> str:
        """Return the day of the snapshot, as in 2026-01-31."""
        return self.name[:10]

    @property
    def title(self) -> str:
        """Return what it is called in a list of references."""
        return f"Fonoteca catalogue snapshot {self.name}: {self.recording_count:,} recordings by popularity"

    @property
    def licences(self) -> tuple[str, ...]:
        """Return the licences of the sources, each once, in order."""
        return tuple(sorted({source.licence for source in self.sources if source.licence}))

    def cff(self) -> bytes:
        """Return CITATION.cff (Citation File Format 1.2.0). JSON strings are YAML strings too, so nothing can break out of one."""
        lines = [
            "cff-version: 1.2.0",
            f"message: {_yaml('Please cite this snapshot and the sources that it is made of.')}",
            "type: dataset",
            f"title: {_yaml(self.title)}",
            f"version: {_yaml(self.name)}",
            f"date-released: {self.date}",
            "authors:",
            *(f"  - name: {_yaml(source.attribution or source.name)}" for source in self.sources),
            "identifiers:",
            "  - type: other",
            f"    value: {_yaml(self.id)}",
            "    description: The first 64 bits of the SHA-256 of snapshot.json, which has the digest of every file.",
            f"abstract: {_yaml(self.abstract())}",
            "references:",
        ]
        for source in self.sources:
            lines += [
                "  - type: data",
                f"    title: {_yaml(source.name)}",
                f"    notes: {_yaml(f'{source.attribution}; licence {source.licence}; {source.row_count} rows')}",
                "    authors:",
                f"      - name: {_yaml(source.attribution or source.name)}",
                *([f"    version: {_yaml(source.date)}"] if source.date else []),
            ]
        return ("\n".join(lines) + "\n").encode()

    def abstract(self) -> str:
        """Return what it is in a sentence or two."""
        names = ", ".join(source.name for source in self.sources)
        text = f"A list of {self.recording_count:,} recordings, most heard first, made of {names}."
        return f"{text} {MADE_UP}" if self.synthetic else text

    def datacite(self, formats: Sequence[str]) -> bytes:
        """Return the metadata as DataCite's schema 4.5 has it. formats: media types of what it comes with."""
        facts = {
            "schemaVersion": "http://datacite.org/schema/kernel-4",
            "identifiers": [{"identifier": self.id, "identifierType": "URN"}],
            "creators": [{"name": source.attribution or source.name, "nameType": "Organizational"} for source in self.sources],
            "titles": [{"title": self.title, "lang": "en"}],
            "publisher": {"name": "Fonoteca"},
            "publicationYear": self.date[:4],
            "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Catalogue of recordings"},
            "dates": [{"date": self.date, "dateType": "Created"}],
            "version": self.name,
            "formats": list(formats),
            "rightsList": [{"rights": licence, "rightsUri": licence} for licence in self.licences],
            "descriptions": [{"description": self.abstract(), "descriptionType": "Abstract", "lang": "en"}],
            "relatedItems": [
                {
                    "titles": [{"title": source.name}],
                    "relationType": "IsDerivedFrom",
                    "relatedItemType": "Dataset",
                    "version": source.date,
                }
                for source in self.sources
            ],
        }
        return to_json(facts)


def _yaml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def citation_of(snapshot_json: bytes, subject: str) -> Citation:
    """Return how the snapshot with this snapshot.json is cited. Raises: StoreError when it is not one."""
    facts = parse_json(snapshot_json, subject, SNAPSHOT_FORMAT)
    try:
        sources = tuple(parse_snapshot_source(source) for source in facts["sources"])
        name, count, synthetic = str(facts["name"]), int(facts["recording_count"]), bool(facts["synthetic"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(subject, f"lacks what {SNAPSHOT_FORMAT} has: {error}", "Build the catalogue again.") from error
    return Citation(name, hashlib.sha256(snapshot_json).hexdigest(), count, synthetic, sources)
