"""The disaster kit: backup and restore from an empty machine, and what doctor says before and after."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import ocfl
import pytest
from cli_world import OPEN, Fonoteca, item

from fonoteca.flows.backup import Unpacked
from fonoteca.formats.backuptar import ABOUT, SUMS, read_backup
from fonoteca.gatehouse import open_people
from fonoteca.model.corridor import Event
from fonoteca.model.desk import Order
from fonoteca.model.errors import FormatError
from fonoteca.people import People, Role
from fonoteca.people.notices import NoticeKind, Words
from fonoteca.register import Register
from fonoteca.register.register import LIMIT_DEFAULT
from fonoteca.wiring import open_archive


@pytest.fixture
def jukebox(tmp_path: Path, music: Path, fonoteca: Fonoteca) -> Path:
    """Return an archive that has acquired, refused, held and published something, beside a mirror of its store in `copy`."""
    folder = tmp_path / "jukebox"
    assert fonoteca("init", folder).status == 0
    fonoteca("acquire", "folder", music, "--archive", folder)
    assert fonoteca("publish", "--archive", folder).status == 0
    shutil.copytree(folder / "store", tmp_path / "copy")
    return folder


def rows(folder: Path) -> list[object]:
    with Register.open(folder / "register.sqlite") as register:
        decided = [(each.subject, each.outcome, each.rule, each.state) for each in register.decisions()]
        return [*register.natural_rows(), *decided, *(each for each in register.events(1000) if each.what != "backed-up")]


def findings(fonoteca: Fonoteca, folder: Path) -> dict[str, str]:
    said = fonoteca("doctor", "--archive", folder, "--json")
    return {found["question"]: found["health"] for found in said.answer["findings"]}


def test_a_lost_machine_is_restored_from_its_backup_and_a_mirror(jukebox: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    kept, before = tmp_path / "kept.tar", rows(jukebox)
    assert fonoteca("backup", kept, "--archive", jukebox).status == 0
    assert kept.stat().st_mode & 0o777 == 0o600
    shutil.rmtree(jukebox)
    new = tmp_path / "elsewhere"
    assert fonoteca("restore", kept, new).status == 0
    assert fonoteca("audit", "--archive", new).status == 4, "the music is not in a backup"
    assert fonoteca("doctor", "--archive", new).status == 4
    assert fonoteca("repair", "--from", tmp_path / "copy", "--archive", new).status == 0
    assert fonoteca("audit", "--all", "--archive", new).status == 0
    # Objects of which nothing was there were in quarantine meanwhile; nothing else differs.
    assert [row for row in rows(new) if row in before] == before
    assert ocfl.StorageRoot(root=str(new / "store")).validate()
    assert fonoteca("publish", "--archive", new, "--json").answer["drops"] == [], "what is out stays out, and is not cut again"


def test_a_store_that_outlived_its_machine_is_taken_as_it_is(jukebox: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    kept, new = tmp_path / "kept.tar", tmp_path / "elsewhere"
    assert fonoteca("account", "add", "Ada", "--generate", "--role", "operator", "--archive", jukebox).status == 0
    secret = fonoteca("account", "player", "ada", "phone", "--archive", jukebox, "--json").answer["password"]
    with open_archive(jukebox) as opened:
        words = Words(NoticeKind.RIGHTS, "folder:song", "It is mine.", "Bo Example", "bo@example.org")
        receipt = opened.people.notices.add(words, "127.0.0.1")[1]
    assert fonoteca("backup", kept, "--archive", jukebox).status == 0
    later = item(tmp_path / "later" / "song", OPEN, seconds=1)
    assert fonoteca("acquire", "folder", later.parent, "--archive", jukebox).status == 0
    new.mkdir()
    shutil.move(jukebox / "store", new / "store")
    assert fonoteca("restore", kept, new, "--json").answer["store_is_newer"]
    assert fonoteca("rebuild", "--archive", new).status == 0
    assert rows(new) == rows(jukebox)
    assert fonoteca("audit", "--all", "--archive", new).status == 0
    with open_archive(new) as opened:
        ada = opened.people.by_secret("ada", secret)
        assert ada, "the key that closes it is in the backup too"
        assert ada.role is Role.OPERATOR
        notice = opened.people.notices.by_token(receipt)
        assert notice is not None
        assert notice.words == words, "nobody who waits for an answer is lost"


def test_a_store_that_nothing_happened_in_since_is_not_newer(jukebox: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    kept, new = tmp_path / "kept.tar", tmp_path / "elsewhere"
    assert fonoteca("backup", kept, "--archive", jukebox).status == 0
    new.mkdir()
    shutil.copytree(jukebox / "store", new / "store")
    assert not fonoteca("restore", kept, new, "--json").answer["store_is_newer"]
    assert rows(new) == rows(jukebox)
    assert fonoteca("backup", tmp_path / "second.tar", "--archive", jukebox).status == 0
    shutil.rmtree(new)
    new.mkdir()
    shutil.move(jukebox / "store", new / "store")
    assert fonoteca("restore", kept, new, "--json").answer["store_is_newer"], "of another backup the first one knows nothing"


def test_a_backup_is_never_half_believed(jukebox: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    kept, bad, new = tmp_path / "kept.tar", tmp_path / "bad.tar", tmp_path / "elsewhere"
    fonoteca("backup", kept, "--archive", jukebox)
    content = kept.read_bytes()
    for at in range(512, len(content), max(1, len(content) // 40)):
        bad.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        if content[at : at + 1] == b"\0" and _still_whole(bad):
            continue  # padding between members, which says nothing
        said = fonoteca("restore", bad, new)
        assert said.status == 1, (at, said)
        assert not list((new / "staging").glob("*")), "it has keys"
        assert not (new / "fonoteca.toml").exists()
        bad.write_bytes(content[:at])
        assert fonoteca("restore", bad, new).status == 1
    assert fonoteca("restore", kept, new).status == 0


def _still_whole(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            for member in read_backup(stream, "x"):
                for _ in getattr(member, "blocks", tuple)():
                    pass
    except FormatError:
        return False
    return True


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "keys/../../x", "store/x", "unknown", "keys//x"])
def test_a_backup_leads_nowhere_else(name: str, jukebox: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    kept, bad = tmp_path / "kept.tar", tmp_path / "bad.tar"
    fonoteca("backup", kept, "--archive", jukebox)
    _remade(kept, bad, lambda member: setattr(member, "name", name) if member.name == "fonoteca.toml" else None)
    assert fonoteca("restore", bad, tmp_path / "new").status == 1
    assert not (tmp_path / "escape").exists()


def test_links_in_a_backup_are_refused(jukebox: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    kept, bad = tmp_path / "kept.tar", tmp_path / "bad.tar"
    fonoteca("backup", kept, "--archive", jukebox)

    def link(member: tarfile.TarInfo) -> None:
        if member.name == "archive.json":
            member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0

    _remade(kept, bad, link)
    assert fonoteca("restore", bad, tmp_path / "new").status == 1


def _remade(source: Path, target: Path, change: Callable[[tarfile.TarInfo], object]) -> None:
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            content = old.extractfile(member)
            change(member)
            new.addfile(member, content if member.isreg() else None)
    with tarfile.open(target) as made:
        assert {ABOUT, SUMS} <= set(made.getnames())


def test_a_restore_does_not_write_over_an_archive(jukebox: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    kept = tmp_path / "kept.tar"
    fonoteca("backup", kept, "--archive", jukebox)
    before = rows(jukebox)
    assert fonoteca("restore", kept, jukebox).status == 2
    assert rows(jukebox) == before


def test_keys_and_accounts_are_never_anybody_elses_to_read(
    jukebox: Path, tmp_path: Path, fonoteca: Fonoteca, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, new = tmp_path / "kept.tar", tmp_path / "new"
    (jukebox / "keys").mkdir(exist_ok=True)
    (jukebox / "keys" / "of-a-role").write_text("secret")
    seen: list[int] = []
    dump = People.dump

    def watched(self: People) -> Iterator[bytes]:
        yield from dump(self)
        seen.append((jukebox / "staging" / "backup").stat().st_mode & 0o777)
        seen.extend(path.stat().st_mode & 0o777 for path in jukebox.glob("people.sqlite*"))

    monkeypatch.setattr(People, "dump", watched)
    with open_archive(jukebox) as opened:
        opened.people.add("Ada", "four words of mine")
        fonoteca("backup", kept, "--archive", jukebox)
    assert seen == [0o700, 0o600, 0o600, 0o600], "the database, its log, and what is shared of that"
    seen.clear()
    fill = Unpacked.fill

    def look(self: Unpacked, register: Register) -> None:
        seen.append((new / "keys" / "of-a-role").stat().st_mode & 0o777)
        seen.append((new / "staging" / "restore").stat().st_mode & 0o777)
        fill(self, register)

    monkeypatch.setattr(Unpacked, "fill", look)
    assert fonoteca("restore", kept, new).status == 0
    assert seen == [0o600, 0o700]
    assert (new / "people.sqlite").stat().st_mode & 0o777 == 0o600
    assert [(folder / "private").stat().st_mode & 0o777 for folder in (jukebox, new)] == [0o700] * 2, "what names people"


def test_a_restore_that_was_cut_short_is_run_again(jukebox: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    kept, new = tmp_path / "kept.tar", tmp_path / "new"
    fonoteca("backup", kept, "--archive", jukebox)
    assert fonoteca("restore", kept, new).status == 0
    (new / "fonoteca.toml").unlink()  # the last step is all that makes it an archive
    assert fonoteca("restore", kept, new).status == 0
    assert rows(new) == rows(jukebox)


def test_doctor_knows_of_a_moment_in_which_very_much_happened(jukebox: Path, fonoteca: Fonoteca) -> None:
    told = [Event(datetime(2026, 1, 1, tzinfo=UTC), "acquired", f"urn:{number}") for number in range(LIMIT_DEFAULT + 50)]
    with open_archive(jukebox) as archive:
        archive.store.append_events(told)
        archive.register.record_events(told[1:])
        assert fonoteca("doctor", "--archive", jukebox).status == 1
        archive.register.record_events(told)
        assert fonoteca("doctor", "--archive", jukebox).status == 0


def test_doctor_names_what_is_wrong(jukebox: Path, fonoteca: Fonoteca) -> None:
    healthy = findings(fonoteca, jukebox)
    assert set(healthy.values()) <= {"sound", "advice"}
    assert healthy["backup"] == healthy["fixity"] == "advice", "never backed up, never checked"
    assert fonoteca("audit", "--archive", jukebox).status == 0
    assert findings(fonoteca, jukebox)["fixity"] == "sound"
    (jukebox / "keys").mkdir(exist_ok=True)
    (jukebox / "keys" / "root.key").write_text("secret")
    assert findings(fonoteca, jukebox)["keys"] == "broken"
    song = next((jukebox / "store").rglob("content/*.wav"))
    song.write_bytes(b"\0" + song.read_bytes()[1:])
    assert fonoteca("audit", "--archive", jukebox).status == 4
    assert findings(fonoteca, jukebox)["fixity"] == "damaged"
    torrent = next((jukebox / "editions" / "drops").glob("*.torrent"))
    torrent.write_bytes(b"x" + torrent.read_bytes()[1:])
    assert findings(fonoteca, jukebox)["editions"] == "broken"
    (jukebox / ".lock").write_text("{}")
    assert findings(fonoteca, jukebox)["disk"] == "advice"
    (jukebox / "store" / "0=ocfl_1.1").unlink()
    assert findings(fonoteca, jukebox)["store"] == "damaged"


class LongAgo:
    """A clock that stands still, long before the machine's."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


def test_doctor_tells_what_waits_for_an_answer_and_what_was_not_carried_out(jukebox: Path, fonoteca: Fonoteca) -> None:
    assert findings(fonoteca, jukebox)["notices"] == findings(fonoteca, jukebox)["desk"] == "sound"
    assert not (jukebox / "people.sqlite").exists(), "looking made something"
    with open_archive(jukebox) as archive, open_people(jukebox, archive.settings, LongAgo()) as people:
        people.notices.add(Words(NoticeKind.RIGHTS, "urn:x", "It is mine.", "Ada", "ada@example.org"), "127.0.0.1")
        entry = people.docket.put(Order("rule", "urn:x"), None, 0)
        waits = {row["question"]: row for row in fonoteca("doctor", "--archive", jukebox, "--json").answer["findings"]}
        assert "overdue: 1" in waits["notices"]["said"]
        assert "carried out: 1, the oldest since 2026-01-01" in waits["desk"]["said"]
        people.docket.failed(entry.number, "the disk is full")
    told = {row["question"]: row for row in fonoteca("doctor", "--archive", jukebox, "--json").answer["findings"]}
    assert told["desk"]["said"] == "rule urn:x failed: the disk is full"
    assert f"desk retry {entry.number}" in told["desk"]["remedy"]
    assert told["notices"]["health"] == told["desk"]["health"] == "advice"


def test_doctor_changes_nothing(jukebox: Path, fonoteca: Fonoteca) -> None:
    def seen() -> dict[str, tuple[int, int]]:
        files = (path for path in jukebox.rglob("*") if path.is_file() and "register.sqlite-" not in path.name)
        return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}

    fonoteca("doctor", "--archive", jukebox)
    before = seen()
    fonoteca("doctor", "--archive", jukebox)
    assert seen() == before
