"""What a mirror chose and why, as `follow` and `follow --explain` show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fonoteca.cli.output import print_table, say
from fonoteca.editions import Choice, Verdict, Why
from fonoteca.formats.quantities import show_bytes, show_share

_REASONS: Mapping[Why, str] = {
    Why.HELD: "held: nothing is deleted without being asked",
    Why.FIRST: "the catalogue and its search index come first",
    Why.CORRECTION: "corrects or replaces a part of {by}",
    Why.WORTH: "saves most listening for its size",
    Why.NEEDED: "{by} needs it",
    Why.ROOM: "all that is heard has its place",
    Why.REPLACED: "something was purged from it; others have the rest",
    Why.SUPERSEDED: "a newer one took its place",
    Why.ABSENT: "whom you follow has it not",
    Why.SPACE: "too big for the space that is left",
    Why.LESS: "others save more listening for their size",
}


def print_choice(choice: Choice) -> None:
    """Print every drop with what becomes of it, and a summary."""
    rows = [
        (
            verdict.option.id,
            "yes" if verdict.taken else "no",
            show_bytes(verdict.option.space_bytes),
            show_share(verdict.option.share),
            "?" if verdict.seeds is None else str(verdict.seeds),
            reason(verdict),
        )
        for verdict in choice.verdicts
    ]
    print_table("", ("drop", "taken", "space", "of listening", "seeds", "why"), rows, numeric=(2, 3, 4))
    say_choice(choice)


def say_choice(choice: Choice) -> None:
    """Print how much a choice holds."""
    taken = sum(verdict.taken for verdict in choice.verdicts)
    space = f"{show_bytes(choice.held_bytes)} held, {show_bytes(choice.new_bytes)} to fetch"
    say(f"{taken} of {len(choice.verdicts)} drops: {space}; {show_share(choice.coverage_share)} of listening", "bold")
    left_out = Counter(verdict.why for verdict in choice.verdicts if not verdict.taken)
    if left_out[Why.ABSENT]:
        say(f"{left_out[Why.ABSENT]} drops are not to be had from whom you follow", "yellow")


def reason(verdict: Verdict) -> str:
    """Return why a drop is taken or not, for people."""
    return _REASONS[verdict.why].format(by=verdict.by)


def choice_json(choice: Choice) -> dict[str, Any]:
    """Return a choice as `--json` shows it. seeds: null where nobody knows. space: what it takes beside what is held."""
    return {
        "held_bytes": choice.held_bytes,
        "new_bytes": choice.new_bytes,
        "coverage_share": choice.coverage_share,
        "order": list(choice.order),
        "drops": [
            {
                "id": verdict.option.id,
                "taken": verdict.taken,
                "why": verdict.why,
                "because_of": verdict.by,
                "space_bytes": verdict.option.space_bytes,
                "coverage_share": verdict.option.share,
                "seeds": verdict.seeds,
                "worth": verdict.worth,
            }
            for verdict in choice.verdicts
        ],
    }
