"""`fonoteca withdraw`, as an operator uses it, at an archive and at its mirror."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_world import Fonoteca

from fonoteca.people.notices import NoticeKind, Words
from fonoteca.wiring import open_archive

GOOD = "urn:fonoteca:audio:folder:good"
ORDER = ("--reason", "rights-holder", "--ground", "notice under article 16")


def test_an_operator_withdraws_lists_reinstates_and_purges(archive: Path, fonoteca: Fonoteca, tmp_path: Path) -> None:
    notice = tmp_path / "letter.txt"
    notice.write_text("Dear archive, I am Ada Example.")
    said = fonoteca("withdraw", GOOD, *ORDER, "--notice", notice, "--review", "2099-05-03", "--json", "-A", archive)
    assert (said.status, said.err) == (0, "")
    (told,) = said.answer["withdrawals"]
    assert (told["object"], told["state"], told["masked"], told["new"]) == (GOOD, "dark", True, True)
    assert told["dates"]["review"] == "2099-05-03T00:00:00Z"
    assert "Ada" not in said.out
    listed = fonoteca("withdraw", "--list", "--json", "-A", archive).answer
    assert listed["counts"] == {"state": {"dark": 1}, "reason": {"rights-holder": 1}}
    words = fonoteca("withdraw", "--list", "-A", archive)
    assert "by state: dark 1" in words.out
    exported = fonoteca("export", "bagit", GOOD, "--into", tmp_path / "out", "-A", archive)
    assert (exported.status, (tmp_path / "out").exists()) == (3, False)
    assert fonoteca("withdraw", GOOD, "--reinstate", "--ground", "a mistake", "-A", archive).status == 0
    assert fonoteca("export", "bagit", GOOD, "--into", tmp_path / "out", "-A", archive).status == 0
    said = fonoteca("withdraw", "folder:good", "--purge", *ORDER, "-A", archive)
    assert said.status == 0
    assert "cannot be recalled" in said.out
    assert fonoteca("show", GOOD, "-A", archive).status == 2
    assert fonoteca("audit", "-A", archive).status == 0
    assert fonoteca("rebuild", "-A", archive).status == 0
    assert fonoteca("withdraw", "--list", "--json", "-A", archive).answer["withdrawals"][0]["purged_at"]


@pytest.mark.parametrize(
    "line",
    [
        (),
        (GOOD,),
        (GOOD, "--reason", "whim", "--ground", "x"),
        (GOOD, *ORDER, "--state", "gone"),
        (GOOD, *ORDER, "--state", "reinstated"),
        (GOOD, *ORDER, "--decider", "me"),
        (GOOD, *ORDER, "--scope", "DE"),
        (GOOD, *ORDER, "--state", "restricted"),
        (GOOD, *ORDER, "--state", "restricted", "--scope", "dancing"),
        (GOOD, *ORDER, "--review", "someday"),
        (GOOD, *ORDER, "--review", "1999-01-01"),
        (GOOD, *ORDER, "--notice", "/nowhere"),
        (GOOD, "--reason", "operator", "--ground", "two\nlines"),
        (GOOD, "--reinstate", "--ground", "x"),
        (GOOD, "--purge"),
        (GOOD, "--purge", "--reinstate"),
        (GOOD, "--decide", "keep"),
        (GOOD, "--decide", "pending"),
        ("urn:fonoteca:audio:folder:nobody", *ORDER),
        ("--mirror", "/nowhere"),
    ],
    ids=lambda line: " ".join(line) or "nothing",
)
def test_wrong_words_are_wrong_use_and_change_nothing(line: tuple[str, ...], archive: Path, fonoteca: Fonoteca) -> None:
    said = fonoteca("withdraw", *line, "--json", "-A", archive)
    assert said.status in (1, 2), said.out
    assert set(said.answer["error"]) == {"code", "subject", "problem", "remedy"}
    assert fonoteca("withdraw", "--list", "--json", "-A", archive).answer["withdrawals"] == []


def test_a_mirror_hears_decides_and_says_so(archive: Path, fonoteca: Fonoteca, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    assert fonoteca("publish", "-A", archive).status == 0
    assert fonoteca("follow", archive, "-A", mirror).status == 0
    fonoteca("withdraw", GOOD, *ORDER, "-A", archive)
    assert fonoteca("publish", "-A", archive).status == 0
    assert fonoteca("follow", archive, "-A", mirror).status == 0
    told = fonoteca("withdraw", "--mirror", mirror, "--json").answer
    assert (told["masked"], told["pending"], told["answers"]) == (1, 1, [])
    assert fonoteca("withdraw", GOOD, "--decide", "dismiss", "-A", mirror).status == 2
    said = fonoteca("withdraw", GOOD, "--decide", "keep", "--json", "-A", mirror)
    assert said.answer["withdrawals"][0]["answer"] == "keep"
    told = fonoteca("withdraw", "--mirror", mirror, "--json").answer
    assert (told["pending"], [each["answer"] for each in told["answers"]]) == (0, ["keep"])
    assert "1 objects masked" in fonoteca("withdraw", "--mirror", mirror).out


def test_a_notice_is_accepted_by_withdrawing_what_the_operator_names(archive: Path, fonoteca: Fonoteca) -> None:
    with open_archive(archive) as opened:
        words = Words(NoticeKind.RIGHTS, GOOD, "It is mine.", "Ada Example", "ada@example.org")
        numbers = [opened.people.notices.add(words, "127.0.0.1")[0].number for _ in range(2)]
    first, second = (str(number) for number in numbers)
    ground = ("--ground", "found right", "-A", archive)
    told = fonoteca("notice", "list", "--json", "-A", archive).answer["notices"]
    assert [str(each["number"]) for each in told] == [first, second]
    assert "ada@example.org" in fonoteca("notice", "show", first, "-A", archive).out
    assert fonoteca("notice", "accept", first, *ground).status == 2
    assert fonoteca("notice", "accept", first, "folder:nothing", *ground).status == 2
    assert fonoteca("notice", "accept", first, GOOD, "-A", archive).status == 2
    said = fonoteca("notice", "accept", first, GOOD, *ground, "--json").answer
    assert (said["state"], said["withdrawals"][0]["masked"]) == ("accepted", True)
    assert fonoteca("notice", "accept", first, GOOD, *ground).status == 2, "it is decided once"
    assert fonoteca("notice", "answer", first, "--deny", *ground).status == 2, "nobody appealed"
    assert fonoteca("notice", "reject", first, *ground).status == 2
    assert fonoteca("notice", "reject", second, *ground).status == 0
    assert fonoteca("notice", "accept", second, GOOD, *ground).status == 2
    assert fonoteca("notice", "list", "--json", "-A", archive).answer["notices"] == []
    kept = b"".join(path.read_bytes() for path in (archive / "private").rglob("*") if path.is_file())
    assert b"ada@example.org" not in kept
