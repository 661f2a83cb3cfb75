"""Past events entered in the register again: decisions of rights and of people, and what checks of bytes found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from fonoteca.flows.checks import DAMAGED, HEALED, QUARANTINED, RELEASED
from fonoteca.flows.rulings import RULED, RULED_OUT, TAKEN_BACK, settlement
from fonoteca.formats.checklists import CHECKED, parse_checked
from fonoteca.formats.dossiers import parse_dossier
from fonoteca.model.corridor import Event
from fonoteca.model.rights import Dossier, Hold, Refusal
from fonoteca.register import Register

REFUSED, HELD_FOR_REVIEW = "refused", "held-for-review"
SOURCE_CHANGED, SOURCE_GONE = "source-changed", "source-gone"
ASKED_AGAIN = (SOURCE_CHANGED, SOURCE_GONE)
"""The rules that hold what a source says less of, and what it has no more or gives to nobody: a question that a person settled is
open again when a source comes to say something else.
"""


def replay(register: Register, events: Iterable[Event]) -> None:
    """Enter the decisions and checks that the events tell of, in their order."""
    for event in events:
        if event.what in _ENTER:
            _ENTER[event.what](register, event)


def _refused(register: Register, event: Event) -> None:
    facts = _texts(event)
    refusal = Refusal(event.subject, facts["rule"], facts["reason"], facts["next"])
    register.record_decision(refusal, facts["item"], event.at, _dossier(event))


def _held(register: Register, event: Event) -> None:
    facts = _texts(event)
    hold = Hold(event.subject, facts["rule"], facts["reason"], facts["next"])
    register.record_decision(hold, facts["item"], event.at, _dossier(event))
    if hold.rule in ASKED_AGAIN:
        register.reopen_decisions(event.subject)


def _ruled(register: Register, event: Event) -> None:
    facts = _texts(event)
    register.settle_decision(event.subject, settlement(facts.get("licence", ""), facts["reason"]), event.at)


def _taken_back(register: Register, event: Event) -> None:
    register.reopen_decisions(event.subject)


def _checked(register: Register, event: Event) -> None:
    checklist = parse_checked(event)
    register.auditing.replay_checks(checklist.at, checklist.versions, checklist.paths)


def _damaged(register: Register, event: Event) -> None:
    register.auditing.enter_check(event.at, event.subject, _texts(event)["kind"])


def _healed(register: Register, event: Event) -> None:
    register.auditing.enter_check(event.at, event.subject, "")


def _quarantined(register: Register, event: Event) -> None:
    register.auditing.quarantine(event.subject, event.at, _texts(event)["reason"])


def _released(register: Register, event: Event) -> None:
    register.auditing.release(event.subject)


def _dossier(event: Event) -> Dossier:
    """Return what an event tells of an item; of events of before there were dossiers, nothing."""
    return parse_dossier(_texts(event).get("dossier", ""), event.subject)


def _texts(event: Event) -> dict[str, str]:
    return {name: str(value) for name, value in event.facts}


_ENTER: Mapping[str, Callable[[Register, Event], None]] = {
    REFUSED: _refused,
    HELD_FOR_REVIEW: _held,
    RULED: _ruled,
    RULED_OUT: _ruled,
    TAKEN_BACK: _taken_back,
    CHECKED: _checked,
    DAMAGED: _damaged,
    HEALED: _healed,
    QUARANTINED: _quarantined,
    RELEASED: _released,
}
