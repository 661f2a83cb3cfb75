"""Every bag of the conformance suite gets the verdict of its folder, and what is in a bag is offered with what speaks for it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import bagit
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteca.formats.bagfiles import BagListing, plan_bag
from fonoteca.model.corridor import Candidate
from fonoteca.model.errors import FormatError, SourceError, UsageError
from fonoteca.model.rights import Hold, Policy, Scheme
from fonoteca.rights import decide
from fonoteca.sources import SOURCES, SourceContext
from fonoteca.sources.bags import open_claimed
from fonoteca.sources.steady import Stamp

SUITE = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "bagit"
BAGS = sorted(path.relative_to(SUITE).as_posix() for path in SUITE.glob("v*/*/*") if path.is_dir())
VERDICTS = {"valid": "valid", "warning": "warning", "invalid": "invalid", "linux-only": "invalid", "windows-only": "invalid"}
"""By folder. The last two are invalid on those systems: here all of them are, since what is kept here goes anywhere."""
ALSO_WARNED = "bag-with-leading-dot-slash-in-manifest"
"""The suite has the same thing under `warning` as well, by the name of `relative-path`."""


def offered(folder: Path, context: SourceContext) -> list[Candidate]:
    return list(SOURCES["bagit"].candidates(str(folder), context))


def warned(candidates: list[Candidate]) -> list[str]:
    return [f"{left.logical_path}: {left.reason}" for c in candidates for left in c.left_out if left.rule == "warning"]


def test_the_suite_is_there(fixtures: Path) -> None:
    assert fixtures / "bagit" == SUITE
    assert len(BAGS) == 60


@pytest.mark.parametrize("name", BAGS)
def test_every_bag_of_the_suite_gets_the_verdict_of_its_folder(name: str, context: SourceContext, staging_root: Path) -> None:
    folder = SUITE / name
    try:
        warnings = warned(offered(folder, context))
        found = "warning" if warnings and folder.name != ALSO_WARNED else "valid"
    except SourceError as error:
        found = "invalid" if re.search(r": expected .+, found ", str(error)) else str(error)
    assert found == VERDICTS[folder.parent.name]
    assert not staging_root.exists()


# What a bag says of the music in it ---------------------------------------------------------------------------------

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Tagged = Callable[..., bytes]
BY = "https://creativecommons.org/licenses/by/4.0/"


def make(folder: Path, files: Mapping[str, bytes], **info: str | list[str]) -> Path:
    """Make a bag as the library does. info: labels with `_` for `-`."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    bagit.make_bag(str(folder), {label.replace("_", "-"): value for label, value in info.items()})
    return folder


def statements(candidate: Candidate) -> list[tuple[Scheme, str]]:
    return [(e.scheme, e.statement) for e in candidate.evidence]


def refused(folder: Path, context: SourceContext) -> str:
    with pytest.raises(SourceError) as caught:
        offered(folder, context)
    return str(caught.value)


def rewrite(folder: Path, name: str, change: Callable[[str], str]) -> None:
    """Change a tag file and leave it out of the tag manifests, which are optional."""
    path = folder / name
    path.write_text(change(path.read_text() if path.exists() else ""))
    for manifest in folder.glob("tagmanifest-*.txt"):
        manifest.unlink()


def test_the_info_file_s_licence_is_evidence_for_all_of_the_bag(
    tmp_path: Path, context: SourceContext, tagged: Tagged, picture: bytes
) -> None:
    files = {"cd1/a.ogg": tagged(title="A"), "cd2/b.ogg": tagged(title="B"), "cover.jpg": picture}
    said = {"Title": "Kitchen Songs", "Artist": "A. Nightingale", "Attribution": "A. Nightingale and friends"}
    folder = make(tmp_path / "bag", files, License=BY, External_Identifier="kitchen", Source_URI="https://example.org/k", **said)
    audio, artwork = offered(folder, context)
    assert [f.logical_path for f in audio.files] == ["cd1/a.ogg", "cd2/b.ogg"]
    assert [f.logical_path for f in artwork.files] == ["cover.jpg"]
    assert audio.item == artwork.item
    assert re.fullmatch(r"bagit:kitchen-[0-9a-f]{8}", audio.item)
    assert statements(audio) == statements(artwork) == [(Scheme.LICENCE_URI, BY)]
    assert audio.evidence[0].raw == (folder / "bag-info.txt").read_bytes()
    assert (audio.title, audio.artist, audio.attribution) == ("Kitchen Songs", "A. Nightingale", "A. Nightingale and friends")
    assert audio.source_uri == "https://example.org/k"
    with audio.files[0].open() as stream:
        assert stream.read() == files["cd1/a.ogg"]


@pytest.mark.parametrize("words", ["All rights reserved.", "Ask the archive at Elm St. before any use", "free " * 80])
def test_words_that_name_no_licence_hold_the_bag_whatever_the_tags_say(
    words: str, tmp_path: Path, context: SourceContext, tagged: Tagged
) -> None:
    (one,) = offered(make(tmp_path / "bag", {"a.ogg": tagged(license=BY)}, Rights=words), context)
    assert isinstance(decide(one, Policy(), NOW), Hold)
    assert all(len(e.statement) <= 200 for e in one.evidence)


def test_two_licences_of_one_bag_hold_it(tmp_path: Path, context: SourceContext, tagged: Tagged) -> None:
    (one,) = offered(make(tmp_path / "bag", {"a.ogg": tagged()}, License=[BY, "CC-BY-NC-4.0"]), context)
    assert isinstance(decide(one, Policy(), NOW), Hold)


def test_without_a_word_the_tags_speak_and_without_tags_nothing_does(
    tmp_path: Path, context: SourceContext, tagged: Tagged
) -> None:
    spoken, silent = offered(make(tmp_path / "bag", {"a.ogg": tagged(license=BY), "b.ogg": tagged()}), context)
    assert (statements(spoken), spoken.item.partition("#")[2]) == ([(Scheme.TAG, BY)], "cc-by-4.0")
    assert (statements(silent), silent.item.partition("#")[2]) == ([], "unlicensed")


def test_a_rights_file_in_the_payload_counts_and_the_info_file_too(tmp_path: Path, context: SourceContext, tagged: Tagged) -> None:
    files = {"x/a.ogg": tagged(), "x/rights.toml": b'id = "x"\nlicence = "CC0-1.0"\n', "b.ogg": tagged()}
    rest, x = offered(make(tmp_path / "bag", files, License="CC-BY-4.0", External_Identifier="box"), context)
    assert (rest.item.partition("-")[0], statements(rest)) == ("bagit:box", [(Scheme.SPDX, "CC-BY-4.0")])
    assert (x.item, statements(x)) == ("bagit:x", [(Scheme.SPDX, "CC0-1.0"), (Scheme.SPDX, "CC-BY-4.0")])


def test_a_bag_has_the_same_key_wherever_it_lies(tmp_path: Path, context: SourceContext, tagged: Tagged) -> None:
    folder = make(tmp_path / "bag", {"a.ogg": tagged()}, License=BY)
    (here,) = offered(folder, context)
    (tmp_path / "elsewhere").mkdir()
    (there,) = offered(folder.rename(tmp_path / "elsewhere" / "bag"), context)
    assert here.item == there.item


def test_of_a_folder_of_bags_the_valid_ones_are_offered_before_the_first_error(
    tmp_path: Path, context: SourceContext, tagged: Tagged
) -> None:
    for name in ("a", "b", "c"):
        make(tmp_path / "bags" / name, {f"{name}.ogg": tagged(title=name)}, License=BY)
    (tmp_path / "bags" / "no bag").mkdir()
    (tmp_path / "bags" / "b" / "data" / "b.ogg").write_bytes(tagged(title="x"))
    found = SOURCES["bagit"].candidates(str(tmp_path / "bags"), context)
    assert [next(found).files[0].logical_path, next(found).files[0].logical_path] == ["a.ogg", "c.ogg"]
    with pytest.raises(SourceError, match=r"data/b\.ogg: expected sha(256|512) [0-9a-f]+, found [0-9a-f]+"):
        next(found)


def test_bytes_that_change_after_the_bag_was_proved_are_found_when_they_are_read(
    tmp_path: Path, context: SourceContext, tagged: Tagged
) -> None:
    folder = make(tmp_path / "bag", {"a.ogg": tagged()}, License=BY)
    (one,) = offered(folder, context)
    song = folder / "data" / "a.ogg"
    song.write_bytes(song.read_bytes()[:-1] + b"?")
    with pytest.raises(SourceError, match="changed"), one.files[0].open() as stream:
        stream.read()
    claims = (("sha256", "0" * 64),)
    with pytest.raises(SourceError, match=f"expected sha256 {'0' * 64} as its bag says, found"):
        open_claimed(song, "a song", Stamp.of(song.stat()), claims).read()


def test_a_bag_that_has_to_be_fetched_is_refused(tmp_path: Path, context: SourceContext, tagged: Tagged) -> None:
    folder = make(tmp_path / "bag", {"a.ogg": tagged(), "b.ogg": tagged()}, License=BY)
    (folder / "data" / "b.ogg").unlink()
    rewrite(folder, "fetch.txt", lambda _: "https://example.org/b.ogg - data/b.ogg\n")
    rewrite(folder, "bag-info.txt", lambda text: re.sub("Payload-Oxum.*\n", "", text))
    assert "data/b.ogg has to be fetched: Fonoteca fetches nothing" in refused(folder, context)


def test_a_path_into_the_folder_beside_is_refused_though_the_library_takes_it(
    tmp_path: Path, context: SourceContext, tagged: Tagged
) -> None:
    folder = make(tmp_path / "bag", {"a.ogg": tagged()}, License=BY)
    beside = tmp_path / "bag-2"
    beside.mkdir()
    (beside / "x").write_bytes(b"x")
    rewrite(folder, "tagmanifest-sha256.txt", lambda _: "")
    (folder / "tagmanifest-sha256.txt").write_text(f"{hashlib.sha256(b'x').hexdigest()} ../bag-2/x\n")
    assert bagit.Bag(str(folder)).validate()
    assert "'../bag-2/x', which leads out of it" in refused(folder, context)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("manifest-MD5.txt", "", "manifest-MD5.txt"),
        ("manifest-crc32.txt", "", "crc32"),
        ("manifest-sha256.txt", "abc data/a.ogg\n", "abc"),
        ("manifest-sha256.txt", "no entry\n", "'no'"),
        ("manifest-sha256.txt", "lonely\n", "lonely"),
        ("manifest-sha256.txt", f"{'0' * 64} bag-info.txt\n", "bag-info.txt"),
        ("bagit.txt", "BagIt-Version: 2.0\nTag-File-Character-Encoding: UTF-8\n", "2.0"),
        ("bagit.txt", "BagIt-Version: 0.97\nTag-File-Character-Encoding: hex\n", "hex"),
        ("bag-info.txt", "no label\n", "no label"),
        ("bag-info.txt", "Payload-Oxum: many\n", "many"),
        ("fetch.txt", "https://example.org/x\n", "https://example.org/x"),
    ],
)
def test_a_tag_file_of_another_form_is_named_with_what_was_found(
    name: str, content: str, found: str, tmp_path: Path, context: SourceContext, tagged: Tagged
) -> None:
    folder = make(tmp_path / "bag", {"a.ogg": tagged()}, License=BY)
    rewrite(folder, name, lambda _: content)
    said = refused(folder, context)
    assert name in said
    assert re.search(rf": expected .+, found .*{re.escape(found)}", said), said


def test_tag_files_in_another_encoding_than_declared_are_refused(tmp_path: Path, context: SourceContext, tagged: Tagged) -> None:
    folder = make(tmp_path / "bag", {"a.ogg": tagged()}, License=BY)
    rewrite(folder, "bagit.txt", lambda text: text.replace("UTF-8", "UTF-32"))
    assert ": expected text in UTF-32, found something else" in refused(folder, context)


def test_links_are_not_followed_out_of_a_bag(tmp_path: Path, context: SourceContext, tagged: Tagged) -> None:
    folder = make(tmp_path / "bag", {"a.ogg": tagged(), "b.ogg": tagged()}, License=BY)
    (folder / "data" / "a.ogg").rename(tmp_path / "bag-outside.ogg")
    (folder / "data" / "a.ogg").symlink_to(tmp_path / "bag-outside.ogg")
    assert bagit.Bag(str(folder)).validate()
    assert "data/a.ogg: expected a file, found a symbolic link" in refused(folder, context)


@pytest.mark.parametrize("wrong", ["missing", "file.zip"])
def test_what_is_no_folder_is_a_wrong_use(wrong: str, tmp_path: Path, context: SourceContext) -> None:
    (tmp_path / "file.zip").write_bytes(b"PK")
    with pytest.raises(UsageError):
        offered(tmp_path / wrong, context)


@settings(max_examples=60)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=40), max_size=6))
def test_whatever_a_manifest_says_the_verdict_is_a_plan_or_a_format_error(lines: list[str]) -> None:
    manifest = "\n".join(f"{hashlib.md5(b'').hexdigest()} data/{line}" for line in lines).encode()
    declaration = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    files = {f"data/{line}": 0 for line in lines if line not in (".", "..")}
    listing = BagListing(files, {"bagit.txt": declaration, "manifest-md5.txt": manifest})
    try:
        plan = plan_bag(listing)
    except FormatError:
        return
    assert set(plan.claims) == set(files)
