from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fonoteca.model.corridor import Candidate
from fonoteca.model.errors import SourceError, UsageError
from fonoteca.model.rights import Kind, Scheme
from fonoteca.sources import SOURCES, SourceContext

BY_SA = "http://creativecommons.org/licenses/by-sa/3.0/"
Tagged = Callable[..., bytes]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


def offered(folder: Path | str, context: SourceContext) -> list[Candidate]:
    return list(SOURCES["folder"].candidates(str(folder), context))


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def names(candidate: Candidate) -> list[str]:
    return [f.logical_path for f in candidate.files]


def statements(candidate: Candidate) -> list[tuple[Scheme, str]]:
    return [(e.scheme, e.statement) for e in candidate.evidence]


def left(candidate: Candidate) -> dict[str, str]:
    return {entry.logical_path: entry.rule for entry in candidate.left_out}


def test_a_rights_file_covers_the_tree_below_it_down_to_the_next_one(music: Path, context: SourceContext, tagged: Tagged) -> None:
    put(music / "rights.toml", 'id = "box"\ntitle = "Box"\nlicence = "CC-BY-4.0"\n')
    put(music / "cd1" / "a.ogg", tagged(title="A"))
    put(music / "cd2" / "deep" / "b.ogg", tagged(title="B"))
    put(music / "bonus" / "rights.toml", 'id = "bonus"\nlicence = "CC0-1.0"\n')
    put(music / "bonus" / "c.ogg", tagged(title="C"))
    box, bonus = offered(music, context)
    assert (box.item, names(box), box.title) == ("folder:box", ["cd1/a.ogg", "cd2/deep/b.ogg"], "Box")
    assert (bonus.item, names(bonus)) == ("folder:bonus", ["c.ogg"])
    assert statements(box) == [(Scheme.SPDX, "CC-BY-4.0")]
    assert box.evidence[0].raw == (music / "rights.toml").read_bytes()


def test_without_one_each_folder_with_audio_is_an_item_and_its_tags_the_evidence(
    music: Path, context: SourceContext, tagged: Tagged
) -> None:
    put(music / "one" / "a.ogg", tagged(license=BY_SA, album="One", artist="A. Name"))
    put(music / "two" / "b.ogg", tagged(license=BY_SA, album="Two", artist="B. Name", copyright="2001 B. Name"))
    put(music / "empty" / "notes.txt", "nothing")
    one, two = offered(music, context)
    assert one.item.startswith("folder:one-")
    assert one.item.endswith("#cc-by-sa-3.0")
    assert (one.title, one.artist, one.attribution) == ("One", "A. Name", "A. Name")
    assert two.attribution == "2001 B. Name"
    assert statements(one) == [(Scheme.TAG, BY_SA)]
    assert one.evidence[0].raw == BY_SA.encode()


def test_files_under_different_evidence_are_candidates_with_different_keys(
    music: Path, context: SourceContext, tagged: Tagged
) -> None:
    put(music / "a.ogg", tagged(license=BY_SA))
    put(music / "b.ogg", tagged(license="CC0-1.0"))
    put(music / "c.ogg", tagged(title="no word of rights"))
    put(music / "cover.jpg", b"picture")
    found = {c.item.partition("#")[2]: (c.kind, names(c), len(c.evidence)) for c in offered(music, context) if c.kind is Kind.AUDIO}
    assert found == {
        "cc-by-sa-3.0": (Kind.AUDIO, ["a.ogg"], 1),
        "cc0-1.0": (Kind.AUDIO, ["b.ogg"], 1),
        "unlicensed": (Kind.AUDIO, ["c.ogg"], 0),
    }


def test_a_key_does_not_change_when_other_files_come_and_go(music: Path, context: SourceContext, tagged: Tagged) -> None:
    put(music / "a.ogg", tagged(license=BY_SA))
    (before,) = offered(music, context)
    put(music / "b.ogg", tagged(license="CC0-1.0"))
    after = {names(c)[0]: c.item for c in offered(music, context)}
    assert after["a.ogg"] == before.item


def test_tags_of_audio_say_nothing_about_pictures(music: Path, context: SourceContext, tagged: Tagged, picture: bytes) -> None:
    put(music / "a.ogg", tagged(license=BY_SA))
    put(music / "cover.jpg", picture)
    put(music / "scans" / "back.jpg", picture)
    audio, artwork = offered(music, context)
    assert (audio.kind, artwork.kind) == (Kind.AUDIO, Kind.ARTWORK)
    assert artwork.evidence == ()
    assert artwork.item.endswith("#unlicensed")
    assert names(artwork) == ["cover.jpg", "scans/back.jpg"]


def test_pictures_inherit_the_folder_s_licence_unless_they_have_their_own(
    music: Path, context: SourceContext, tagged: Tagged, picture: bytes
) -> None:
    rights = put(music / "rights.toml", 'id = "x"\nlicence = "CC-BY-4.0"\nattribution = "The Band"\n')
    put(music / "a.ogg", tagged())
    put(music / "cover.jpg", picture)
    _, artwork = offered(music, context)
    assert (artwork.item, statements(artwork), artwork.attribution) == ("folder:x", [(Scheme.SPDX, "CC-BY-4.0")], "The Band")
    with rights.open("a") as more:
        more.write('[artwork]\nlicence = "CC0-1.0"\nattribution = "A Painter"\n')
    audio, artwork = offered(music, context)
    assert (artwork.item, statements(artwork), artwork.attribution) == ("folder:x", [(Scheme.SPDX, "CC0-1.0")], "A Painter")
    assert statements(audio) == [(Scheme.SPDX, "CC-BY-4.0")]


def test_a_tag_that_says_the_same_changes_nothing_and_one_that_differs_is_evidence_too(
    music: Path, context: SourceContext, tagged: Tagged
) -> None:
    put(music / "rights.toml", 'id = "x"\nlicence = "CC-BY-SA-3.0"\n')
    put(music / "a.ogg", tagged(license=BY_SA))
    put(music / "b.ogg", tagged())
    put(music / "c.ogg", tagged(license="https://creativecommons.org/licenses/by-nc/4.0/"))
    same, differs = offered(music, context)
    assert (same.item, names(same), len(same.evidence)) == ("folder:x", ["a.ogg", "b.ogg"], 1)
    assert (differs.item, names(differs)) == ("folder:x#cc-by-nc-4.0", ["c.ogg"])
    assert [s for s, _ in statements(differs)] == [Scheme.SPDX, Scheme.TAG]


def test_an_override_replaces_the_folder_s_statement_for_its_files(music: Path, context: SourceContext, tagged: Tagged) -> None:
    put(
        music / "rights.toml",
        'id = "x"\nlicence = "CC-BY-4.0"\nattribution = "Us"\n'
        '[[files]]\nglob = "live/*"\nlicence = "CC0-1.0"\nattribution = "Them"\n',
    )
    put(music / "a.ogg", tagged())
    put(music / "live" / "b.ogg", tagged())
    own, live = offered(music, context)
    assert (own.item, own.attribution) == ("folder:x", "Us")
    assert (live.item, live.attribution, statements(live)) == ("folder:x#cc0-1.0", "Them", [(Scheme.SPDX, "CC0-1.0")])


def test_one_s_own_work_is_a_declaration_of_acts(music: Path, context: SourceContext, tagged: Tagged) -> None:
    put(music / "rights.toml", 'id = "mine"\nown = true\nacts = ["share", "hold"]\n')
    put(music / "a.ogg", tagged())
    (mine,) = offered(music, context)
    assert statements(mine) == [(Scheme.OWNER, "own: hold share")]


def test_a_glob_that_fits_no_file_is_an_error(music: Path, context: SourceContext, tagged: Tagged) -> None:
    put(music / "rights.toml", 'licence = "CC-BY-4.0"\n[[files]]\nglob = "lvie/*"\nlicence = "CC0-1.0"\n')
    put(music / "live" / "a.ogg", tagged())
    with pytest.raises(SourceError, match="lvie"):
        offered(music, context)


def test_two_folders_with_one_id_are_an_error(music: Path, context: SourceContext, tagged: Tagged) -> None:
    for name in ("one", "two"):
        put(music / name / "rights.toml", 'id = "same"\nlicence = "CC0-1.0"\n')
        put(music / name / "a.ogg", tagged())
    with pytest.raises(SourceError, match="same id as"):
        offered(music, context)


def test_notices_go_with_the_candidate_and_a_missing_one_is_an_error(music: Path, context: SourceContext, tagged: Tagged) -> None:
    put(music / "rights.toml", 'id = "x"\nlicence = "CC-BY-4.0"\nnotices = "read me"\n')
    put(music / "a.ogg", tagged())
    with pytest.raises(SourceError, match="read me"):
        offered(music, context)
    put(music / "read me", "All rights to the cook.\n")
    (one,) = offered(music, context)
    assert one.notices == "All rights to the cook."


def test_a_legal_text_beside_the_music_is_evidence_for_a_person(music: Path, context: SourceContext, tagged: Tagged) -> None:
    put(music / "a.ogg", tagged())
    put(music / "b.ogg", tagged(license=BY_SA))
    put(music / "COPYING", "You may do as you like.")
    plain, with_tag = offered(music, context)
    assert [s for s, _ in statements(plain)] == [Scheme.FREE_TEXT]
    assert plain.evidence[0].raw == b"You may do as you like."
    assert "#" not in plain.item
    assert [s for s, _ in statements(with_tag)] == [Scheme.FREE_TEXT, Scheme.TAG]
    assert with_tag.notices == "You may do as you like."


@pytest.mark.parametrize("ref", ["missing", "a-file", "nul\0byte"])
def test_a_ref_that_is_no_folder_is_a_wrong_use(tmp_path: Path, context: SourceContext, ref: str) -> None:
    put(tmp_path / "a-file", "x")
    with pytest.raises(UsageError) as caught:
        offered(f"{tmp_path}/{ref}", context)
    assert caught.value.exit_status == 2


def test_a_folder_without_music_is_a_clear_error(music: Path, context: SourceContext) -> None:
    put(music / "notes.txt", "nothing")
    with pytest.raises(SourceError, match="holds no music"):
        offered(music, context)


def test_an_item_of_which_nothing_can_be_offered_says_why(music: Path, context: SourceContext) -> None:
    put(music / "tune.xm", b"Extended Module: ")
    (one,) = offered(music, context)
    assert (one.files, left(one)) == ((), {"tune.xm": "unsupported"})


def test_links_are_never_followed(music: Path, context: SourceContext, tagged: Tagged, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside" / "secret.ogg", tagged(license=BY_SA))
    put(music / "a.ogg", tagged(license=BY_SA))
    (music / "out.ogg").symlink_to(outside)
    (music / "in.ogg").symlink_to("a.ogg")
    (music / "folder").symlink_to(outside.parent)
    (music / "loop").symlink_to(".")
    (music / "gone.ogg").symlink_to("nowhere")
    (music / "notes").symlink_to(put(tmp_path / "x.txt", "x"))
    (one,) = offered(music, context)
    assert names(one) == ["a.ogg"]
    assert left(one) == dict.fromkeys(["folder", "gone.ogg", "in.ogg", "loop", "out.ogg"], "link")


def test_a_folder_named_by_a_link_has_the_key_of_the_real_one(music: Path, context: SourceContext, tagged: Tagged) -> None:
    put(music / "a.ogg", tagged())
    (music.parent / "alias").symlink_to(music)
    assert [c.item for c in offered(music.parent / "alias", context)] == [c.item for c in offered(music, context)]


def test_pipes_and_empty_and_damaged_files_are_left_out(music: Path, context: SourceContext, tagged: Tagged) -> None:
    put(music / "a.ogg", tagged(license=BY_SA))
    put(music / "empty.ogg", b"")
    put(music / "noise.ogg", b"not at all an ogg file, but long enough to be looked at by anyone")
    os.mkfifo(music / "pipe.ogg")
    os.mkfifo(music / "pipe")
    (one,) = offered(music, context)
    assert names(one) == ["a.ogg"]
    assert left(one) == {"empty.ogg": "empty", "noise.ogg": "damaged", "pipe.ogg": "special"}


def test_a_damaged_file_under_a_rights_file_is_offered_for_the_audio_room_to_judge(music: Path, context: SourceContext) -> None:
    put(music / "rights.toml", 'id = "x"\nlicence = "CC0-1.0"\n')
    put(music / "noise.ogg", b"not at all an ogg file")
    (one,) = offered(music, context)
    assert names(one) == ["noise.ogg"]


def test_names_are_kept_as_received(music: Path, context: SourceContext, tagged: Tagged) -> None:
    content = tagged(license=BY_SA)
    kept = ["new\nline.ogg", "\u202eright.ogg", "🎵.ogg", "Case.ogg", "case.ogg", "per%FFcent.ogg", "x" * 251 + ".ogg"]
    for name in kept:
        put(music / name, content)
    Path(os.fsdecode(os.fsencode(music) + b"/latin-\xe4 100%.ogg")).write_bytes(content)
    (one,) = offered(music, context)
    assert sorted(names(one)) == sorted([*kept, "latin-%E4 100%25.ogg"])
    assert one.left_out == ()
    for file in one.files:
        with file.open() as stream:
            assert stream.read() == content


def test_of_two_names_that_would_be_one_path_the_second_is_left_out(music: Path, context: SourceContext, tagged: Tagged) -> None:
    put(music / "a%FF.ogg", tagged(license=BY_SA))
    Path(os.fsdecode(os.fsencode(music) + b"/a\xff.ogg")).write_bytes(tagged(license=BY_SA))
    (one,) = offered(music, context)
    assert (names(one), left(one)) == (["a%FF.ogg"], {"a%FF.ogg": "name"})


def test_a_file_without_an_extension_is_known_by_its_first_bytes(music: Path, context: SourceContext, tagged: Tagged) -> None:
    put(music / "rights.toml", 'id = "x"\nlicence = "CC0-1.0"\n')
    put(music / "a.ogg", tagged())
    put(music / "track two", tagged())
    put(music / "track three.part", b"RIFF\0\0\0\0AVI ")
    (one,) = offered(music, context)
    assert names(one) == ["a.ogg", "track two"]


def test_the_same_folder_gives_the_same_candidates(music: Path, context: SourceContext, tagged: Tagged, picture: bytes) -> None:
    for name in ("b.ogg", "a.ogg", "z/c.ogg"):
        put(music / name, tagged(license=BY_SA))
    put(music / "cover.jpg", picture)

    def facts() -> list[object]:
        return [(c.item, c.kind, names(c), c.evidence, c.left_out) for c in offered(music, context)]

    assert facts() == facts()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up the right to read everything, where the tests have it."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_cannot_be_read_is_left_out_and_named(context: SourceContext, tagged: Tagged) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        put(root / "a.ogg", tagged(license=BY_SA))
        put(root / "closed.ogg", tagged(license=BY_SA)).chmod(0)
        put(root / "shut" / "b.ogg", tagged(license=BY_SA))
        (root / "shut").chmod(0)
        with as_nobody():
            (one,) = offered(root, context)
        (root / "shut").chmod(0o700)
    assert names(one) == ["a.ogg"]
    assert set(left(one)) == {"closed.ogg", "shut"}
