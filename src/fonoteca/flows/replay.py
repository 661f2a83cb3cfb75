"""Past events entered in the register again: decisions that rights took, and rulings of people."""

from __future__ import annotations

from collections.abc import Iterable

from fonoteca.flows.rulings import RULED, settlement
from fonoteca.model.corridor import Event
from fonoteca.model.rights import Hold, Refusal
from fonoteca.register import Register

REFUSED, HELD_FOR_REVIEW = "refused", "held-for-review"


def replay(register: Register, events: Iterable[Event]) -> None:
    """Enter the decisions that the events tell of, in their order."""
    for event in events:
        facts = {name: str(value) for name, value in event.facts}
        if event.what == REFUSED:
            verdict: Refusal | Hold = Refusal(event.subject, facts["rule"], facts["reason"], facts["next"])
        elif event.what == HELD_FOR_REVIEW:
            verdict = Hold(event.subject, facts["rule"], facts["reason"], facts["next"])
        else:
            if event.what == RULED:
                register.settle_decision(event.subject, settlement(facts["licence"], facts["reason"]), event.at)
            continue
        register.record_decision(verdict, facts["item"], event.at)
