"""What is withdrawn by several archives at once: none of them lifts what another one said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fonoteca.model.ids import ObjectId, Sha256
from fonoteca.model.withdrawal import FILES_MAX, Authority, Dates, Purpose, Reason, Scope, Tombstone, WithdrawalState, joined
from fonoteca.register import Register

AT = datetime(2026, 11, 22, tzinfo=UTC)
OBJECT = ObjectId("urn:fonoteca:audio:withdrawn")
ONE, OTHER, THIRD = (Sha256(letter * 64) for letter in "abc")


def said(*sha256s: Sha256, number: int = 1) -> Tombstone:
    """Return a statement about these files of an object, about all of it without any."""
    return Tombstone(
        object_id=OBJECT,
        number=number,
        prior=0,
        state=WithdrawalState.DARK,
        reason=Reason.OPERATOR,
        ground="",
        dates=Dates(AT, AT, AT),
        whole=not sha256s,
        sha256s=tuple(sorted(sha256s)),
    )


@pytest.mark.parametrize(
    ("own", "followed", "masked"),
    [
        (said(ONE), said(), {ONE, OTHER, THIRD}),
        (said(), said(ONE), {ONE, OTHER, THIRD}),
        (said(ONE), said(OTHER), {ONE, OTHER}),
        (said(ONE), said(ONE), {ONE}),
    ],
)
def test_what_any_archive_withdrew_is_masked(own: Tombstone, followed: Tombstone, masked: set[Sha256], tmp_path: Path) -> None:
    with Register.open(tmp_path / "register.sqlite") as register:
        register.withdrawals.enter(followed, Authority.FOLLOWED, "mark")
        register.withdrawals.enter(own, Authority.OWN)
        mask = register.withdrawals.mask(OBJECT, Purpose.LISTENING)
        every = register.withdrawals.masked(Purpose.SHARING)[OBJECT]
        sieve = register.withdrawals.sieve(Purpose.FINDING).withdrawn[OBJECT]
        assert mask is not None
        assert mask.authority is Authority.OWN
        for tombstone in (mask.tombstone, every, sieve):
            assert {each for each in (ONE, OTHER, THIRD) if tombstone.means(each)} == masked


def test_what_one_purpose_hides_whole_another_one_shows_no_part_of(tmp_path: Path) -> None:
    with Register.open(tmp_path / "register.sqlite") as register:
        register.withdrawals.enter(
            replace(said(), state=WithdrawalState.RESTRICTED, scope=Scope(purposes=(Purpose.FINDING,))), Authority.FOLLOWED, "mark"
        )
        register.withdrawals.enter(
            replace(said(ONE), state=WithdrawalState.RESTRICTED, scope=Scope(purposes=(Purpose.LISTENING,))), Authority.OWN
        )
        assert register.withdrawals.masked_for((Purpose.FINDING, Purpose.LISTENING))[OBJECT].whole
        assert not register.withdrawals.masked_for((Purpose.LISTENING,))[OBJECT].whole


def test_more_files_than_a_statement_can_name_are_the_object() -> None:
    many = [Sha256(f"{number:064x}") for number in range(FILES_MAX + 1)]
    both = joined([said(*many[:FILES_MAX]), said(*many[1:])])
    assert both.whole
