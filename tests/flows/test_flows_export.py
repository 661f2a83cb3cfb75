"""What is copied out is whole, proved, lawful, and can be taken in again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import bagit
import pytest
from flows_world import (
    NOW,
    SETTINGS,
    Archive,
    Quiet,
    artwork,
    audio,
    bytes_of,
    in_turn,
    make_archive,
    opened,
    put_item,
    small_music,
    take,
    track,
)
from rocrate.rocrate import ROCrate

from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.flows.export_bags import export_bags
from fonoteca.flows.export_crates import export_crates
from fonoteca.flows.exporting import Exported, Place
from fonoteca.intake import export_rooms
from fonoteca.model.errors import FixityError, FonotecaError, RightsError, UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Policy
from fonoteca.wiring import output_folder

FORMS = {"bagit": export_bags, "ro-crate": export_crates}


@pytest.fixture
def held(fast_path: Path) -> Iterator[Archive]:
    """Give an archive with two items, one with artwork."""
    small_music(fast_path / "music")
    make_archive(fast_path / "archive")
    with opened(fast_path / "archive") as archive:
        take(archive, fast_path / "music")
        yield archive


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def export(archive: Archive, form: str, into: Path, *object_ids: ObjectId) -> list[Exported]:
    with output_folder(into) as (staging, made):
        return list(FORMS[form](export_rooms(archive, Quiet()), object_ids, Place(staging, made)))


def refused(archive: Archive, form: str, into: Path, *object_ids: ObjectId) -> FonotecaError:
    """Return why nothing was exported; nothing is left of it."""
    with pytest.raises(FonotecaError) as caught:
        export(archive, form, into, *object_ids)
    assert not into.exists()
    assert not [path for path in into.parent.iterdir() if path.name.startswith(f".{into.name}")]
    return caught.value


def test_a_bag_is_valid_and_says_whose_it_is_and_under_which_licence(held: Archive, fast_path: Path) -> None:
    (one,) = export(held, "bagit", fast_path / "out", audio("two"))
    bag = bagit.Bag(str(fast_path / "out" / one.folder))
    assert bag.validate()
    assert sorted(bag.payload_entries()) == ["data/01 b.flac", "data/02 c.flac", "data/metadata.json", "data/rights.json"]
    assert set(bag.algorithms) == {"sha256", "sha512"}
    assert bag.info["Source-Organization"] == SETTINGS.title
    assert bag.info["External-Identifier"] == audio("two")
    assert bag.info["License"] == "https://creativecommons.org/licenses/by-sa/4.0/"
    assert bag.info["Bagging-Date"] == NOW.date().isoformat()
    assert bag.info["Payload-Oxum"] == f"{one.exported_bytes}.4"


def test_what_is_exported_as_a_bag_and_acquired_again_is_the_same(held: Archive, fast_path: Path) -> None:
    ids = (audio("one"), artwork("one"), audio("two"))
    export(held, "bagit", fast_path / "out", *ids)
    make_archive(fast_path / "second")
    with opened(fast_path / "second") as second:
        outcomes = list(acquire(in_turn(second), "bagit", str(fast_path / "out")))
        assert all(isinstance(outcome, Acquired) for outcome in outcomes), outcomes
        found = {outcome.object_id for outcome in outcomes if isinstance(outcome, Acquired)}
        assert {said(second, object_id) for object_id in found} == {said(held, object_id) for object_id in ids}


def said(archive: Archive, object_id: ObjectId) -> tuple[object, ...]:
    """Return what must come through: kind, files, names, licence, credit, title, artist and source."""
    metadata, rights = archive.store.metadata(object_id), archive.store.rights(object_id)
    files = frozenset((file.logical_path, file.hashes.sha256) for file in metadata.files)
    terms = (rights.licence_uri, rights.acts, rights.attribution, rights.notices)
    return (object_id.kind, files, terms, metadata.title, metadata.artist, metadata.source_uri)


def test_a_crate_opens_and_describes_every_file(held: Archive, fast_path: Path) -> None:
    (one,) = export(held, "ro-crate", fast_path / "out", audio("two"))
    folder = fast_path / "out" / one.folder
    crate = ROCrate(folder)
    assert crate.version == "1.1"
    assert crate.name == "Item two"
    assert crate.license.id == "https://creativecommons.org/licenses/by-sa/4.0/"
    assert crate.root_dataset["identifier"] == audio("two")
    assert crate.root_dataset["isBasedOn"].id == "https://example.org/two"
    assert crate.datePublished == NOW
    described = {entity.id: entity for entity in crate.data_entities}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {Path(entity.source).relative_to(folder).as_posix() for entity in described.values()} == there - {
        "ro-crate-metadata.json"
    }
    song = described["01%20b.flac"]
    assert (song["name"], song["encodingFormat"], song["duration"]) == ("Track 2", "audio/flac", "PT0.500S")
    assert (song["byArtist"]["name"], song["license"]["name"]) == ("The Generators", "CC BY-SA 4.0")
    assert song["sha256"] == next(f.sha256 for f in one.files if f.name == "01 b.flac")
    assert int(song["contentSize"]) == (folder / "01 b.flac").stat().st_size
    assert song["creditText"]


def test_the_same_object_exports_to_the_same_bytes(held: Archive, form: str, fast_path: Path) -> None:
    for name in ("first", "second"):
        export(held, form, fast_path / name, audio("one"), artwork("one"))
    assert bytes_of(fast_path / "first") == bytes_of(fast_path / "second")


def test_what_may_not_be_held_any_more_is_not_copied_nor_is_anything_with_it(held: Archive, form: str, fast_path: Path) -> None:
    put_item(fast_path / "more", "nc", {"a.flac": track(5)}, 'licence = "CC-BY-NC-4.0"')
    take(held, fast_path / "more")
    held.settings = replace(held.settings, rights=Policy(refuse_noncommercial=True))
    error = refused(held, form, fast_path / "out", audio("one"), audio("nc"))
    assert isinstance(error, RightsError)
    assert error.exit_status == 3
    assert audio("nc") in str(error)


def flip(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("harm", [flip, lambda content: content[:-1], lambda content: content + b"x", None])
def test_a_damaged_file_ends_the_export_and_leaves_nothing(
    harm: Callable[[bytes], bytes] | None, held: Archive, form: str, fast_path: Path
) -> None:
    victim = max((held.folder / "store").rglob("*c.flac"), key=lambda path: path.stat().st_size)
    if harm is None:
        victim.unlink()
    else:
        victim.write_bytes(harm(victim.read_bytes()))
    error = refused(held, form, fast_path / "out", audio("one"), audio("two"))
    assert isinstance(error, FixityError)
    assert error.exit_status == 4
    assert victim.name in str(error)


def test_what_is_in_quarantine_is_not_copied(held: Archive, form: str, fast_path: Path) -> None:
    held.register.auditing.quarantine(audio("two"), NOW, "beyond healing")
    assert "quarantine" in str(refused(held, form, fast_path / "out", audio("two")))


@pytest.mark.parametrize("wrong", ["urn:fonoteca:audio:folder:nobody", "urn:fonoteca:events:log"])
def test_what_is_no_music_is_a_wrong_use(wrong: str, held: Archive, form: str, fast_path: Path) -> None:
    assert isinstance(refused(held, form, fast_path / "out", ObjectId(wrong)), UsageError)


def test_names_that_no_manifest_carries_are_replaced_and_said(fast_path: Path, form: str) -> None:
    names = ["new\nline.flac", " edge.flac", "Case.flac", "case.flac", "100%25.flac", "a%0Ab.flac", "e\u0301.flac", "\u00e9.flac"]
    names += [
        "two\r\nline ends\n.flac",
        "next\u0085line.flac",
        "\u202eright.flac",
        "~root",
        "ro-crate-metadata.json.flac",
        "*star.flac",
    ]
    names += ["deep/er/x.flac", "NOTICE.txt.flac", "x" * 250 + ".flac", "#hash.flac"]
    put_item(fast_path / "music", "odd", {name: track(n) for n, name in enumerate(names, 1)})
    make_archive(fast_path / "archive")
    with opened(fast_path / "archive") as archive:
        take(archive, fast_path / "music")
        (one,) = export(archive, form, fast_path / "out", audio("odd"))
    folder = fast_path / "out" / one.folder
    assert {file.logical_path for file in one.files} == {*names, "metadata.json", "rights.json"}
    renamed = {file.logical_path for file in one.renamed}
    assert {"new\nline.flac", " edge.flac", "a%0Ab.flac", "next\u0085line.flac"} < renamed
    assert len(renamed & {"Case.flac", "case.flac"}) == len(renamed & {"e\u0301.flac", "\u00e9.flac"}) == 1
    assert renamed.isdisjoint({"100%25.flac", "deep/er/x.flac", "\u202eright.flac", "#hash.flac"})
    if form == "bagit":
        bag = bagit.Bag(str(folder))
        assert bag.validate()
        assert len(bag.info["Renamed"]) == len(renamed)
    else:
        assert len(ROCrate(folder).data_entities) == len([*one.files, "NOTICE.txt"])
        graph = json.loads((folder / "ro-crate-metadata.json").read_bytes())["@graph"]
        assert {file.logical_path for file in one.files} <= {e.get("alternateName", e.get("name")) for e in graph}
