"""Decisions about notices: killed between what is decided and what is done they end in one true state, and each can be undone."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from flows_world import audio, killed, make_archive, opened, put_out, small_music, state_of, take

from fonoteca.flows.notices import decide
from fonoteca.model.errors import UsageError
from fonoteca.model.withdrawal import WithdrawalState
from fonoteca.people.notices import Act, Notice, NoticeKind, NoticeState, Verdict, Words
from fonoteca.stewardship import withdraw_rooms
from fonoteca.wiring import Archive, open_archive

WORDS = Words(NoticeKind.RIGHTS, "the song \u202e<script>", "It is mine.", "Ada Example", "ada@example.org")
COUNTER = Words(NoticeKind.COUNTER, audio("one"), "It may be heard.", "Bo", "bo@example.org", audio("one"))

KILLED = """
import os, signal, sys
from pathlib import Path
from fonoteca.flows import notices as flow
from fonoteca.people.notices import Act, Notices, Verdict
from fonoteca.stewardship import withdraw_rooms
from fonoteca.wiring import open_archive
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[4] == "before":
    flow.withdraw = flow.reinstate = die
else:
    Notices.settle = die
with open_archive(Path(sys.argv[1]), writing=True) as archive:
    verdict = Verdict(True, "found right", Act(sys.argv[3]), "folder:one")
    flow.decide(withdraw_rooms(archive), archive.people.notices, [int(sys.argv[2])], verdict)
"""


def sent(archive: Archive, words: Words = WORDS) -> tuple[Notice, str]:
    return archive.people.notices.add(words, "127.0.0.1")


def state(archive: Archive) -> WithdrawalState | None:
    (said,) = archive.register.withdrawals.of(audio("one")) or [None]
    return said.tombstone.state if said else None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make_archive(tmp_path / "archive")
    with opened(made) as archive:
        take(archive, small_music(tmp_path / "music"))
    return made


def test_a_decision_killed_before_or_after_it_is_carried_out_is_finished_by_the_next_writer(folder: Path) -> None:
    with open_archive(folder) as archive:
        notice, _ = sent(archive)
        counter, _ = sent(archive, COUNTER)
    steps = (
        (notice.number, Act.WITHDRAW, "before", WithdrawalState.DARK),
        (counter.number, Act.REINSTATE, "after", WithdrawalState.REINSTATED),
    )
    for number, act, when, ends in steps:
        command = (sys.executable, "-c", KILLED, str(folder), str(number), act, when)
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        assert done.returncode == -signal.SIGKILL, done.stderr
        killed(folder)
        with open_archive(folder) as archive:
            notices = archive.people.notices
            assert notices.numbered(number).state is NoticeState.DECIDING
            with pytest.raises(UsageError, match="being carried out"):
                notices.decide([number], Verdict(False, "no"))
        with open_archive(folder, writing=True) as archive:
            assert archive.people.notices.numbered(number).state is NoticeState.ACCEPTED
            assert state(archive) is ends
            known = state_of(archive.register)
        with open_archive(folder, writing=True) as archive:
            assert state_of(archive.register) == known, "and nothing is done twice"


def test_what_cannot_be_carried_out_lets_the_notice_wait_again(folder: Path) -> None:
    with open_archive(folder, writing=True) as archive:
        notices, rooms = archive.people.notices, withdraw_rooms(archive)
        notice, token = sent(archive)
        with pytest.raises(UsageError, match="nothing of this item is held"):
            decide(rooms, notices, [notice.number], Verdict(True, "yes", Act.WITHDRAW, "folder:nothing"))
        assert notices.numbered(notice.number).state is NoticeState.RECEIVED
        notices.decide([notice.number], Verdict(False, "the licence permits it"))
        notices.appeal(token, "It does not.")
        answered = decide(rooms, notices, [notice.number], Verdict(True, "it was forged", Act.WITHDRAW, "folder:one"))
        assert (answered.notice.state, state(archive)) == (NoticeState.GRANTED, WithdrawalState.DARK)
        assert notices.steps(notice.number)[-1].objects == tuple(each.withdrawal.tombstone.object_id for each in answered.stated)
        other, _ = sent(archive, COUNTER)
        with pytest.raises(UsageError, match="asks that something is given out again"):
            decide(rooms, notices, [other.number], Verdict(True, "yes", Act.WITHDRAW, "folder:one"))
        put_out(archive)
    kept = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("people.sqlite")]
    assert not [path for path in kept if b"ada@example.org" in path.read_bytes()], "who sent it is in no edition, log or evidence"
