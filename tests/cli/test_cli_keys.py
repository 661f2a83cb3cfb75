"""Keys by the command: made, shown, carried away, rotated, and signed with on machines that have no archive."""

from __future__ import annotations

import json
import shutil
import stat
import time
from pathlib import Path

import pytest
from cli_world import OPEN, Fonoteca, item

PASSPHRASE = "FONOTECA_KEY_PASSPHRASE"
ROLES = ["root", "targets", "withdrawals", "snapshot", "timestamp"]


def role(fonoteca: Fonoteca, archive: Path, name: str) -> dict[str, object]:
    """Return what `keys show` says of a role."""
    roles = fonoteca("keys", "show", "--json", "-A", archive).answer["roles"]
    return next(each for each in roles if each["role"] == name)


def key_ids(fonoteca: Fonoteca, archive: Path, name: str) -> set[str]:
    """Return the ids of the keys that may sign for a role."""
    return {key["key"] for key in role(fonoteca, archive, name)["keys"] if key["may_sign"]}  # type: ignore[attr-defined,index]


def follows(fonoteca: Fonoteca, archive: Path, mirror: Path) -> int:
    """Return the status with which a mirror, that has all drops, follows an edition."""
    return fonoteca("follow", archive / "editions", "-A", mirror, "--peer", "127.0.0.1:9").status


def test_an_archive_has_a_key_for_each_role_from_the_first_day_and_nobody_else_can_read_them(
    prepared: Path, fonoteca: Fonoteca
) -> None:
    said = fonoteca("keys", "show", "--json", "-A", prepared).answer
    assert [each["role"] for each in said["roles"]] == ROLES
    assert all(len(each["keys"]) == each["threshold"] == 1 for each in said["roles"])
    files = list((prepared / "keys").iterdir())
    assert len(files) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((prepared / "keys").stat().st_mode) == 0o700
    in_words = fonoteca("keys", "show", "-A", prepared).out
    assert said["root"]["sha256"] in in_words
    assert in_words.count(" here") == 5


def test_an_archive_that_was_made_before_there_were_keys_has_them_with_its_next_edition(archive: Path, fonoteca: Fonoteca) -> None:
    number = fonoteca("torrents", "--json", "-A", archive).answer["edition"]
    for folder in ("keys", "editions/metadata"):
        shutil.rmtree(archive / folder)
    assert fonoteca("publish", "-A", archive).status == 0
    assert len(list((archive / "keys").iterdir())) == 5
    assert fonoteca("torrents", "--json", "-A", archive).answer["edition"] == number
    assert (archive / "editions" / "metadata" / "timestamp.json").is_file()


@pytest.mark.parametrize("name", ROLES)
def test_rotating_any_role_leaves_an_edition_that_mirrors_take(
    name: str, archive: Path, tmp_path: Path, fonoteca: Fonoteca
) -> None:
    mirror = Path(shutil.copytree(archive, tmp_path / "mirror"))
    before = key_ids(fonoteca, archive, name)
    said = fonoteca("keys", "rotate", name, "--json", "-A", archive).answer
    assert set(said["removed"]) == before
    assert key_ids(fonoteca, archive, name) == set(said["added"]) != before
    assert {path.name for path in (archive / "keys").glob(f"{name}-*")} == {f"{name}-{said['added'][0]}.pem"}
    assert follows(fonoteca, archive, mirror) == 0


def test_root_and_targets_lie_elsewhere_and_two_of_three_people_sign(archive: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    mirror = Path(shutil.copytree(archive, tmp_path / "mirror"))
    safe, staged = tmp_path / "safe", tmp_path / "staged"
    for name in ("root", "targets"):
        assert fonoteca("keys", "offline", name, safe / name, "--json", "-A", archive).answer["keys"]
    assert not list((archive / "keys").glob("root-*"))
    (root,), (ana,) = (safe / "root").iterdir(), (safe / "targets").iterdir()
    assert stat.S_IMODE(root.stat().st_mode) == 0o600
    bob = tmp_path / "bob.pem"
    made = fonoteca("keys", "make", "targets", "--out", bob, "--json").answer
    assert fonoteca("keys", "add", "targets", f"{bob}.pub", "-A", archive).status == 2, "the root is elsewhere"
    assert fonoteca("keys", "add", "targets", f"{bob}.pub", "--stage", staged, "--json", "-A", archive).answer["added"] == [
        made["key"]
    ]
    assert fonoteca("keys", "sign", staged / "root.json", "--key", bob).status == 2, "no key of the root"
    signed = fonoteca("keys", "sign", staged / "root.json", "--key", root, "--json").answer
    assert (signed["role"], signed["version"], signed["missing"]) == ("root", 2, 0)
    assert fonoteca("publish", "--finish", staged, "-A", archive).status == 0
    assert made["key"] in key_ids(fonoteca, archive, "targets")
    both = tmp_path / "both"
    waits = fonoteca("keys", "threshold", "targets", 2, "--stage", both, "--json", "-A", archive).answer["waits_for"]
    assert [(each["role"], each["missing"]) for each in waits] == [("root", 1), ("targets", 2)]
    fonoteca("keys", "sign", both / "root.json", "--key", root)
    assert fonoteca("publish", "--finish", both, "-A", archive).status == 2, "targets are not signed"
    apart = Path(shutil.copytree(both, tmp_path / "apart"))
    assert fonoteca("keys", "sign", both / "targets.json", "--key", ana, "--json").answer["missing"] == 1
    assert fonoteca("keys", "sign", apart / "targets.json", "--key", bob, "--json").answer["missing"] == 1
    assert fonoteca("publish", "--finish", both, "-A", archive).status == 2, "one of two is not enough"
    assert fonoteca("publish", "--finish", both, "--finish", apart, "-A", archive).status == 0
    assert follows(fonoteca, archive, mirror) == 0


def test_what_is_new_waits_for_keys_that_are_elsewhere_and_what_is_out_stays_good(
    archive: Path, music: Path, tmp_path: Path, fonoteca: Fonoteca
) -> None:
    number = fonoteca("torrents", "--json", "-A", archive).answer["edition"]
    fonoteca("keys", "offline", "targets", tmp_path / "safe", "-A", archive)
    (key,) = (tmp_path / "safe").iterdir()
    fonoteca("acquire", "folder", item(tmp_path / "later", OPEN), "-A", archive)
    timestamp = archive / "editions" / "metadata" / "timestamp.json"
    before = json.loads(timestamp.read_bytes())["signed"]["version"]
    said = fonoteca("publish", "--json", "-A", archive).answer
    assert (said["new"], said["edition"], said["drops"]) == (False, number, [])
    assert [each["role"] for each in said["waits_for"]] == ["targets"]
    assert json.loads(timestamp.read_bytes())["signed"]["version"] == before + 1
    staged = tmp_path / "staged"
    assert fonoteca("publish", "--stage", staged, "--json", "-A", archive).answer["edition"] == number + 1
    assert fonoteca("torrents", "--json", "-A", archive).answer["edition"] == number, "not out yet"
    assert fonoteca("publish", "-A", archive).status == 0, "meanwhile the old edition is signed anew"
    signed = fonoteca("keys", "sign", staged / "targets.json", "--key", key, "--json").answer
    assert signed["index_sha256"]
    assert (signed["missing"], signed["files"] > 6) == (0, True)
    done = fonoteca("publish", "--finish", staged, "--json", "-A", archive).answer
    assert (done["edition"], done["new"]) == (number + 1, True)
    assert done["drops"]
    assert fonoteca("publish", "--finish", staged, "-A", archive).status == 2, "it is out already"
    assert "version 2 was staged, and 2 is out" in fonoteca("publish", "--finish", staged, "-A", archive).err


def test_a_staged_edition_of_which_something_changed_does_not_go_out(archive: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    fonoteca("keys", "offline", "targets", tmp_path / "safe", "-A", archive)
    (key,) = (tmp_path / "safe").iterdir()
    fonoteca("acquire", "folder", item(tmp_path / "later", OPEN), "-A", archive)
    staged = tmp_path / "staged"
    fonoteca("publish", "--stage", staged, "-A", archive)
    fonoteca("keys", "sign", staged / "targets.json", "--key", key)
    other = Path(shutil.copytree(staged, tmp_path / "other"))
    (other / "contents" / "index.json").write_bytes(b"{}")
    assert "not the one that was signed" in fonoteca("publish", "--finish", other, "-A", archive).err
    shutil.rmtree(other)
    other = Path(shutil.copytree(staged, tmp_path / "other"))
    document = json.loads((other / "targets.json").read_bytes())
    document["signed"]["expires"] = "2040-01-01T00:00:00Z"
    (other / "targets.json").write_text(json.dumps(document))
    assert fonoteca("publish", "--finish", other, "-A", archive).status == 2
    assert "different ones" in fonoteca("publish", "--finish", staged, "--finish", other, "-A", archive).err
    later = "urn:fonoteca:audio:folder:later"
    assert fonoteca("withdraw", later, "--reason", "rights-holder", "--ground", "they asked", "-A", archive).status == 0
    assert fonoteca("publish", "--finish", staged, "-A", archive).status == 2
    fonoteca("acquire", "folder", item(tmp_path / "third", OPEN), "-A", archive)
    again = tmp_path / "again"
    fonoteca("publish", "--stage", again, "-A", archive)
    fonoteca("keys", "sign", again / "targets.json", "--key", key)
    old = "urn:fonoteca:audio:folder:good"
    assert fonoteca("withdraw", old, "--reason", "rights-holder", "--ground", "they asked", "-A", archive).status == 0
    assert f"{old} was withdrawn since it was staged" in fonoteca("publish", "--finish", again, "-A", archive).err
    for folder in (tmp_path / "empty", tmp_path / "nothing"):
        assert fonoteca("publish", "--finish", folder, "-A", archive).status == 2
        folder.mkdir(exist_ok=True)


def test_a_key_with_a_passphrase_signs_for_who_knows_it(
    archive: Path, tmp_path: Path, fonoteca: Fonoteca, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fonoteca("keys", "offline", "root", tmp_path / "safe", "--encrypt", "-A", archive).status == 2, "nobody to ask"
    assert list((archive / "keys").glob("root-*"))
    monkeypatch.setenv(PASSPHRASE, "a long one")
    assert fonoteca("keys", "offline", "root", tmp_path / "safe", "--encrypt", "-A", archive).status == 0
    (root,) = (tmp_path / "safe").iterdir()
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in root.read_bytes()
    staged = tmp_path / "staged"
    assert fonoteca("keys", "rotate", "timestamp", "--encrypt", "--stage", staged, "-A", archive).status == 0
    monkeypatch.setenv(PASSPHRASE, "a wrong one")
    assert "the passphrase is wrong" in fonoteca("keys", "sign", staged / "root.json", "--key", root).err
    monkeypatch.setenv(PASSPHRASE, "a long one")
    assert fonoteca("keys", "sign", staged / "root.json", "--key", root).status == 0
    assert fonoteca("publish", "--finish", staged, "-A", archive).status == 0
    assert fonoteca("publish", "-A", archive).status == 0
    assert [key["locked"] for key in role(fonoteca, archive, "timestamp")["keys"]] == [True]  # type: ignore[attr-defined]
    monkeypatch.delenv(PASSPHRASE)
    time.sleep(1.1)  # dates of metadata are whole seconds, and within one nothing is signed again
    assert fonoteca("publish", "-A", archive).status == 2


def test_what_cannot_be_is_refused_before_anything_is_made(archive: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    (only,) = key_ids(fonoteca, archive, "snapshot")
    before = {path.name: path.read_bytes() for path in archive.rglob("*") if path.is_file() and "register" not in path.name}
    for words in (
        ["revoke", only[:12]],
        ["revoke", only[:4]],
        ["revoke", "0" * 12],
        ["threshold", "root", "2"],
        ["threshold", "root", "0"],
        ["offline", "timestamp", tmp_path / "safe"],
        ["offline", "root", archive / "elsewhere"],
        ["add", "root", archive / "fonoteca.toml"],
        ["make", "nobody"],
        ["sign", archive / "fonoteca.toml", "--key", archive / "fonoteca.toml"],
    ):
        assert fonoteca("keys", *words, *([] if words[0] == "sign" else ["-A", archive])).status == 2, words
    after = {path.name: path.read_bytes() for path in archive.rglob("*") if path.is_file() and "register" not in path.name}
    assert after == before


def test_a_second_key_is_made_and_the_first_revoked(archive: Path, fonoteca: Fonoteca) -> None:
    (first,) = key_ids(fonoteca, archive, "snapshot")
    (second,) = fonoteca("keys", "make", "snapshot", "--json", "-A", archive).answer["added"]
    assert key_ids(fonoteca, archive, "snapshot") == {first, second}
    assert fonoteca("keys", "revoke", first[:12], "--json", "-A", archive).answer["removed"] == [first]
    assert key_ids(fonoteca, archive, "snapshot") == {second}
    assert not list((archive / "keys").glob(f"snapshot-{first}*"))


def test_a_mirror_cannot_publish_what_it_has_no_keys_for(archive: Path, fonoteca: Fonoteca) -> None:
    shutil.rmtree(archive / "keys")
    said = fonoteca("publish", "-A", archive)
    assert (said.status, "signed with keys that are not" in said.err) == (2, True)


def test_doctor_tells_of_signatures(archive: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    def found() -> set[str]:
        findings = fonoteca("doctor", "--json", "-A", archive).answer["findings"]
        return {each["health"] for each in findings if each["question"] == "signatures"}

    assert found() == {"sound"}
    (archive / "keys" / f"root-{'0' * 64}.pem").write_bytes(b"")
    (archive / "keys" / f"root-{'0' * 64}.pem").chmod(0o600)
    assert found() == {"advice", "sound"}
    path = next((archive / "editions" / "metadata").glob("*.targets.json"))
    path.write_bytes(path.read_bytes()[:-5] + b"    }")
    assert found() == {"broken"}
