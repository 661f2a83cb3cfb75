from __future__ import annotations

import gc
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from deb_builder import CONTROL, PACKERS, DebBuilder, ar_of, tar_of

from fonoteca.model.corridor import Candidate, LeftOut
from fonoteca.model.errors import SourceError, UsageError
from fonoteca.model.rights import Kind, Scheme
from fonoteca.sources import SOURCES, SourceContext
from fonoteca.sources import deb as deb_module
from fonoteca.sources.nested import unzip
from fonoteca.sources.spool import Spool, SpooledFile

FORMAT = (
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nSource: see https://upstream.example/ for more\n"
)
DEP5 = FORMAT + "\nFiles: *\nCopyright: 2020 A. Name <a@example.org>\nLicense: GPL-2+\n\nLicense: GPL-2+\n the text\n"
BY_SA = "http://creativecommons.org/licenses/by-sa/3.0/"
MUSIC = "./usr/share/games/x/music/"
Tagged = Callable[..., bytes]


def offered(ref: str, context: SourceContext) -> list[Candidate]:
    return list(SOURCES["debian"].candidates(ref, context))


def names(candidate: Candidate) -> list[str]:
    return [f.logical_path.rpartition("/")[2] for f in candidate.files]


def left(candidate: Candidate) -> dict[str, str]:
    return {entry.logical_path: entry.rule for entry in candidate.left_out}


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("packing", list(PACKERS))
def test_every_packing_that_debian_has_used_is_read(deb: DebBuilder, context: SourceContext, tagged: Tagged, packing: str) -> None:
    deb.packing = packing
    content = tagged(title="A", album="Tunes", artist="A. Name")
    (one,) = offered(deb.copyright(DEP5).add(MUSIC + "a.ogg", content).write(), context)
    assert (one.item, one.kind, one.title, one.artist) == ("debian:tunes", Kind.AUDIO, "Tunes", "A. Name")
    assert one.source_uri == "https://example.org/"
    assert one.files[0].logical_path == "usr/share/games/x/music/a.ogg"
    with one.files[0].open() as stream:
        assert stream.read() == content


def test_dep5_gives_evidence_credit_and_notices(deb: DebBuilder, context: SourceContext, tagged: Tagged) -> None:
    (one,) = offered(deb.copyright(DEP5).add(MUSIC + "a.ogg", tagged()).write(), context)
    (evidence,) = one.evidence
    assert (evidence.scheme, evidence.statement, evidence.declarer) == (Scheme.DEP5, "GPL-2+", "packager")
    assert evidence.raw == DEP5.encode()
    assert one.attribution == "2020 A. Name"
    assert one.notices.endswith("the text")
    assert one.title == "tunes for a test"


def test_files_of_different_stanzas_become_candidates_and_the_rest_keeps_the_key(
    deb: DebBuilder, context: SourceContext, tagged: Tagged
) -> None:
    text = DEP5 + "\nFiles: music/b.ogg\nCopyright: 2021 B. Name\nLicense: CC-BY-4.0\n"
    deb.copyright(text).add(MUSIC + "a.ogg", tagged()).add(MUSIC + "b.ogg", tagged()).add(MUSIC + "c.ogg", tagged())
    plain, other = offered(deb.write(), context)
    assert (plain.item, names(plain)) == ("debian:tunes", ["a.ogg", "c.ogg"])
    assert (other.item, names(other), other.attribution) == ("debian:tunes#cc-by-4.0", ["b.ogg"], "2021 B. Name")


def test_a_doubt_between_stanzas_gives_all_of_them_as_evidence(deb: DebBuilder, context: SourceContext, tagged: Tagged) -> None:
    text = DEP5 + "\nFiles: old/a.ogg\nCopyright: B\nLicense: CC-BY-4.0\n\nFiles: new/a.ogg\nCopyright: C\nLicense: CC-BY-NC-4.0\n"
    (one,) = offered(deb.copyright(text).add(MUSIC + "a.ogg", tagged()).write(), context)
    assert [e.statement for e in one.evidence] == ["CC-BY-4.0", "CC-BY-NC-4.0"]


def test_free_text_is_evidence_for_a_person_and_tags_speak_beside_it(
    deb: DebBuilder, context: SourceContext, tagged: Tagged
) -> None:
    deb.copyright("It may be shared, they say.\n").add(MUSIC + "a.ogg", tagged()).add(MUSIC + "b.ogg", tagged(license=BY_SA))
    plain, with_tag = offered(deb.write(), context)
    assert [e.scheme for e in plain.evidence] == [Scheme.FREE_TEXT]
    assert plain.evidence[0].raw == b"It may be shared, they say.\n"
    assert plain.notices == "It may be shared, they say."
    assert with_tag.item == "debian:tunes#cc-by-sa-3.0"
    assert [e.scheme for e in with_tag.evidence] == [Scheme.FREE_TEXT, Scheme.TAG]


def test_damaged_dep5_is_for_a_person_too(deb: DebBuilder, context: SourceContext, tagged: Tagged) -> None:
    (one,) = offered(deb.copyright(FORMAT + "\nno field\n").add(MUSIC + "a.ogg", tagged()).write(), context)
    assert [e.scheme for e in one.evidence] == [Scheme.FREE_TEXT]
    assert "cannot be parsed" in one.evidence[0].statement


def test_without_a_copyright_file_nothing_speaks(deb: DebBuilder, context: SourceContext, tagged: Tagged) -> None:
    (one,) = offered(deb.add(MUSIC + "a.ogg", tagged()).write(), context)
    assert (one.item, one.evidence) == ("debian:tunes#unlicensed", ())


def test_music_inside_zip_and_pk3_counts(deb: DebBuilder, context: SourceContext, tagged: Tagged, picture: bytes) -> None:
    content = tagged(title="inside")
    archive = zipped(
        {"music/a.ogg": content, "music/cover.jpg": picture, "maps/x.bsp": b"level", "music/tune.xm": b"x", "nameless": content}
    )
    deb.copyright(DEP5).add("./usr/share/games/x/pak0.pk3", archive).add("./usr/share/games/x/broken.zip", b"PK\3\4 not a zip")
    audio, artwork = offered(deb.write(), context)
    assert [f.logical_path for f in audio.files] == [
        "usr/share/games/x/pak0.pk3/music/a.ogg",
        "usr/share/games/x/pak0.pk3/nameless",
    ]
    assert names(artwork) == ["cover.jpg"]
    assert left(audio) == {"usr/share/games/x/pak0.pk3/music/tune.xm": "unsupported", "usr/share/games/x/broken.zip": "damaged"}
    with audio.files[0].open() as stream:
        assert stream.read() == content


def test_hostile_zip_members_are_left_out(deb: DebBuilder, context: SourceContext, tagged: Tagged) -> None:
    archive = zipped({"../up.ogg": b"x", "/etc/abs.ogg": b"x", "bomb.ogg": bytes(20 << 20), "ok.ogg": tagged()})
    locked = bytearray(zipped({"locked.ogg": b"x" * 50}))
    for at in (locked.index(b"PK\3\4") + 6, locked.index(b"PK\1\2") + 8):
        locked[at] |= 1
    odd = bytearray(zipped({"odd.ogg": b"x" * 50}))
    for at in (odd.index(b"PK\3\4") + 8, odd.index(b"PK\1\2") + 10):
        odd[at] = 97
    deb.copyright(DEP5).add("./a.zip", archive).add("./l.zip", bytes(locked)).add("./o.zip", bytes(odd))
    (one,) = offered(deb.write(), context)
    assert names(one) == ["ok.ogg"]
    assert left(one) == {
        "a.zip/../up.ogg": "name",
        "a.zip//etc/abs.ogg": "name",
        "a.zip/bomb.ogg": "limit",
        "l.zip/locked.ogg": "protected",
        "o.zip/odd.ogg": "unsupported",
    }


def test_zip_that_would_fill_disk_or_memory_is_left_out(deb: DebBuilder, context: SourceContext, tagged: Tagged) -> None:
    many = zipped({f"{number}.wav": bytes(15 << 20) for number in range(3)})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.ogg", tagged())
    listed = bytearray(zipped({"a.ogg": tagged()}))
    at = listed.index(b"PK\5\6") + 12
    listed[at : at + 4] = (1 << 30).to_bytes(4, "little")
    deb.copyright(DEP5).add("./many.zip", many).add("./lzma.zip", buffer.getvalue()).add("./listed.zip", bytes(listed))
    (one,) = offered(deb.add(MUSIC + "ok.ogg", tagged()).write(), context)
    assert left(one) == {"many.zip": "limit", "lzma.zip/a.ogg": "unsupported", "listed.zip": "damaged"}
    assert names(one) == ["0.wav", "ok.ogg"]


@pytest.mark.parametrize("seed", range(4))
def test_no_damage_to_a_zip_gives_an_error(tmp_path: Path, context: SourceContext, tagged: Tagged, seed: int) -> None:
    whole, chance = zipped({"music/a.ogg": tagged(), "b": b"x" * 300}), random.Random(seed)
    for _ in range(200):
        torn = bytearray(whole)
        for _ in range(chance.randint(1, 5)):
            place = chance.choice((chance.randrange(len(torn)), -1 - chance.randrange(150)))
            torn[place] = chance.choice((0, 255, chance.randrange(256)))
        path = tmp_path / "torn.zip"
        path.write_bytes(torn)
        for taken in unzip(path, b"torn.zip", Spool(context.staging, "torn")):
            assert isinstance(taken, SpooledFile | LeftOut)


def test_control_fields_that_are_not_utf_8_are_read_the_same_everywhere(
    deb: DebBuilder, context: SourceContext, tagged: Tagged, caplog: pytest.LogCaptureFixture
) -> None:
    parts = deb.copyright(DEP5).add(MUSIC + "a.ogg", tagged()).parts()
    control = CONTROL.format(name="tunes").replace("tunes for", "t\u00fcnes for").encode("latin-1")
    info = tarfile.TarInfo("./control")
    info.size = len(control)
    parts["control.tar.gz"] = gzip.compress(tar_of([(info, control)]))
    (one,) = offered(deb.write(parts), context)
    assert one.title == "t\ufffdnes for a test"
    assert caplog.records == []


def test_pictures_are_taken_only_beside_music_and_only_covers(
    deb: DebBuilder, context: SourceContext, tagged: Tagged, picture: bytes
) -> None:
    deb.copyright(DEP5).add(MUSIC + "a.ogg", tagged()).add(MUSIC + "albumcover.jpg", picture).add(MUSIC + "sprite7.png", picture)
    deb.add("./usr/share/games/x/images/cover.jpg", picture).add("./usr/share/doc/tunes/manual.pdf", b"%PDF")
    audio, artwork = offered(deb.write(), context)
    assert (artwork.item, artwork.kind, names(artwork)) == ("debian:tunes", Kind.ARTWORK, ["albumcover.jpg"])
    assert audio.left_out == ()


def test_a_package_of_unsupported_music_says_why(deb: DebBuilder, context: SourceContext) -> None:
    (one,) = offered(deb.copyright(DEP5).add(MUSIC + "tune.xm", b"Extended Module: ").write(), context)
    assert one.files == ()
    assert "tracker module (.xm)" in one.left_out[0].reason


def test_a_package_without_music_is_a_clear_error(deb: DebBuilder, context: SourceContext) -> None:
    with pytest.raises(SourceError, match="holds no music"):
        offered(deb.copyright(DEP5).add("./usr/bin/x", b"\x7fELF").write(), context)


def test_links_devices_and_paths_that_lead_out_are_left_out(
    deb: DebBuilder, context: SourceContext, tagged: Tagged, tmp_path: Path
) -> None:
    deb.copyright(DEP5).add(MUSIC + "a.ogg", tagged())
    deb.add(MUSIC + "soft.ogg", type=tarfile.SYMTYPE, linkname="/etc/passwd").add(
        MUSIC + "hard.ogg", type=tarfile.LNKTYPE, linkname=MUSIC + "a.ogg"
    )
    deb.add(MUSIC + "pipe.ogg", type=tarfile.FIFOTYPE).add("../../escape.ogg", tagged()).add("/abs.ogg", tagged()).add(
        "./../up.zip", b"PK"
    )
    (one,) = offered(deb.write(), context)
    assert names(one) == ["a.ogg"]
    root = "usr/share/games/x/music/"
    expected = {root + "soft.ogg": "link", root + "hard.ogg": "link", root + "pipe.ogg": "special"}
    assert left(one) == expected | {"../../escape.ogg": "name", "/abs.ogg": "name", "./../up.zip": "name"}
    assert not list(tmp_path.rglob("escape.ogg"))


def test_names_that_are_no_text_are_kept_readable(deb: DebBuilder, context: SourceContext, tagged: Tagged) -> None:
    deb.copyright(DEP5).add(MUSIC + "b\udce4d\n.ogg", tagged()).add(MUSIC + "twice.ogg", tagged()).add(
        MUSIC + "twice.ogg", b"other"
    )
    (one,) = offered(deb.write(), context)
    assert names(one) == ["b%E4d\n.ogg", "twice.ogg"]
    assert list(left(one).values()) == ["name"]


def test_a_bomb_is_stopped_at_the_limit(
    deb: DebBuilder, context: SourceContext, monkeypatch: pytest.MonkeyPatch, staging_root: Path
) -> None:
    monkeypatch.setattr(deb_module, "UNPACKED_SLACK_BYTES", 1 << 20)
    with pytest.raises(SourceError, match="unpacks to more than"):
        offered(deb.copyright(DEP5).add(MUSIC + "zeros.ogg", bytes(32 << 20)).write(), context)
    gc.collect()
    assert list(staging_root.iterdir()) == []


def test_a_header_that_claims_gigabytes_is_not_read(deb: DebBuilder, context: SourceContext) -> None:
    info = tarfile.TarInfo("./pax")
    info.type, info.size = tarfile.XHDTYPE, 3 << 30
    parts = deb.parts() | {"data.tar.xz": lzma.compress(info.tobuf() + bytes(1024), preset=0)}
    with pytest.raises(SourceError, match="at once"):
        offered(deb.write(parts), context)


def test_a_header_that_points_backwards_does_not_loop(deb: DebBuilder, context: SourceContext) -> None:
    info = tarfile.TarInfo(MUSIC + "a.ogg")
    info.size = -512
    parts = deb.parts() | {"data.tar.xz": lzma.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024), preset=0)}
    with pytest.raises(SourceError, match="not a whole Debian package"):
        offered(deb.write(parts), context)


@pytest.mark.timeout(10)
def test_an_ar_length_that_is_negative_does_not_loop(deb: DebBuilder, context: SourceContext) -> None:
    path = Path(deb.copyright(DEP5).write())
    content = path.read_bytes()
    path.write_bytes(content[: 8 + 48] + b"-60       " + content[8 + 58 :])
    with pytest.raises(SourceError, match="damaged part header"):
        offered(str(path), context)


@pytest.mark.parametrize("packing", list(PACKERS))
def test_a_truncated_package_is_an_error_at_every_length(
    deb: DebBuilder, context: SourceContext, tagged: Tagged, packing: str
) -> None:
    deb.packing = packing
    whole = deb.copyright(DEP5).add(MUSIC + "a.ogg", tagged()).parts()
    name, data = list(whole.items())[2]
    needed = len(data if packing else data.rstrip(b"\0"))  # a tar ends in zeros, of which two blocks would do
    for length in range(0, needed, max(1, needed // 40)):
        with pytest.raises(SourceError):
            offered(deb.write(whole | {name: data[:length]}), context)


def test_a_damaged_header_inside_is_not_taken_for_the_end(deb: DebBuilder, context: SourceContext, tagged: Tagged) -> None:
    tar = bytearray(deb.copyright(DEP5).add(MUSIC + "a.ogg", tagged()).add(MUSIC + "b.ogg", tagged()).data_tar())
    tar[tar.rindex(b"b.ogg") + 2] ^= 0xFF
    with pytest.raises(SourceError, match="breaks off"):
        offered(deb.write(deb.parts() | {"data.tar.xz": lzma.compress(bytes(tar), preset=0)}), context)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"!<arch>\n",
        b"not an archive",
        ar_of([("debian-binary", b"2.0\n")]),
        ar_of([("a", b"")] * 20),
        b"!<arch>\n" + b"\xff" * 200,
    ],
    ids=["empty", "no parts", "text", "one part", "many parts", "noise"],
)
def test_what_is_no_package_is_an_error(tmp_path: Path, context: SourceContext, content: bytes) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(content)
    with pytest.raises(SourceError):
        offered(str(path), context)


def test_a_package_that_names_itself_oddly_is_refused(deb: DebBuilder, context: SourceContext) -> None:
    deb.name = "../up"
    parts = deb.parts()
    deb.name = "tunes"
    with pytest.raises(SourceError, match="names itself"):
        offered(deb.write(parts), context)


def test_a_package_without_a_control_file_is_an_error(deb: DebBuilder, context: SourceContext) -> None:
    with pytest.raises(SourceError, match="no control file"):
        offered(deb.write(deb.parts() | {"control.tar.gz": PACKERS["gz"](tar_of([]))}), context)


@pytest.mark.parametrize("ref", ["missing.deb", "./nowhere/x", "Not A Name", "-o", "a=1", "x/../y.deb", ""])
def test_a_wrong_ref_is_a_wrong_use(context: SourceContext, ref: str) -> None:
    with pytest.raises(UsageError):
        offered(ref, context)


def test_spooled_files_live_as_long_as_their_candidate_and_no_longer(
    deb: DebBuilder, context: SourceContext, tagged: Tagged, staging_root: Path
) -> None:
    path = deb.copyright(DEP5).add(MUSIC + "a.ogg", tagged()).write()
    (first,) = offered(path, context)
    (second,) = offered(path, context)
    file = first.files[0]
    del first
    gc.collect()
    with file.open() as stream:
        assert stream.read(4) == b"OggS"
    assert len(list(staging_root.iterdir())) == 2
    del file, stream, second
    gc.collect()
    assert list(staging_root.iterdir()) == []


def test_a_package_name_is_fetched_and_the_package_not_kept(
    deb: DebBuilder, context: SourceContext, tagged: Tagged, staging_root: Path
) -> None:
    built = Path(deb.copyright(DEP5).add(MUSIC + "a.ogg", tagged()).write())

    def fetch(name: str, folder: Path) -> Path:
        assert name == "tunes"
        return built.rename(folder / "tunes_1.0-1_all.deb")

    (one,) = offered("tunes", SourceContext(context.clock, context.staging, context.read_tags, fetch))
    assert names(one) == ["a.ogg"]
    assert not list(staging_root.rglob("*.deb"))
