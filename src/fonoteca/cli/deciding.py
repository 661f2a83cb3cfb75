"""What a person decides by and about at the command line: the evidence of what is held, and many held items alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from fonoteca.cli.output import print_table, say
from fonoteca.flows.evidence import EvidenceVault
from fonoteca.formats.dossiers import text_key
from fonoteca.formats.instants import instant
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Dossier
from fonoteca.people.docket import SUBJECTS_MAX
from fonoteca.register import DecisionRow, Register, Sift

SHOWN_MOST = 50
RAW_BYTES_MAX = 20_000
_FILTERS = ("rule", "source", "text")


@dataclass(frozen=True, slots=True)
class Alike:
    """Held items that are decided alike. rest: how many more there are by the same filters."""

    rows: Sequence[DecisionRow]
    rest: int

    @property
    def shown(self) -> Mapping[str, str]:
        """By object, the token of what was shown."""
        return {row.subject: row.token for row in self.rows}

    @property
    def digest(self) -> str:
        """What all of it comes to: 16 hexadecimal digits."""
        told = "\n".join(f"{subject} {token}" for subject, token in self.shown.items())
        return blake2b(told.encode(), digest_size=8).hexdigest()


def sift_of(where: Sequence[str]) -> Sift:
    """Return the filters of `--where NAME=VALUE`. Raises: UsageError for another name, or without a rule."""
    named: dict[str, str] = {}
    for each in where:
        name, sign, value = each.partition("=")
        if name not in _FILTERS or not sign or not value or name in named:
            remedy = "Give each once: --where rule=RULE --where source=KIND --where text=KEY, as `rights review ID` shows them."
            raise UsageError(f"--where {each}", f"expected one of {', '.join(_FILTERS)}, `=` and a value", remedy)
        named[name] = value
    if "rule" not in named:
        raise UsageError("--where", "no rule is named", "What is decided alike was held by one rule: --where rule=RULE.")
    return Sift(**named)


def alike(register: Register, sift: Sift) -> Alike:
    """Return what is held by filters, as many as one entry may be about. Raises: UsageError where nothing is."""
    rows = register.review.page(sift, limit=SUBJECTS_MAX)
    if not rows:
        raise UsageError("--where", "nothing that waits is of this rule, source and text", "`fonoteca rights review` lists it.")
    return Alike(rows, register.review.count(sift) - len(rows))


def print_alike(found: Alike, register: Register, sift: Sift) -> None:
    """Print what would be decided alike: the first of it, and all in which the items differ."""
    table = [(row.subject, row.title, row.artist, row.reason) for row in found.rows[:SHOWN_MOST]]
    more = f", the first {SHOWN_MOST}" if len(found.rows) > SHOWN_MOST else ""
    print_table(f"{len(found.rows)} held by {sift.rule}{more}", ("id", "title", "artist", "reason"), table)
    count = len(found.rows) + found.rest
    texts = register.review.alike(sift)["text"]
    said = [(f"{each.count} of {count}", each.value, each.example.statement if each.example else "") for each in texts]
    print_table("what they say", ("items", "text", ""), said)
    if found.rest:
        say(f"{found.rest} more wait by these filters, and come after these", "yellow")
    say(f"nothing was decided. To decide just this: the same without --dry-run, and --as-shown {found.digest}")


def alike_json(found: Alike, sift: Sift) -> dict[str, Any]:
    """Return it as `--json` shows it."""
    return {
        "where": {name: getattr(sift, name) for name in _FILTERS if getattr(sift, name)},
        "objects": list(found.shown),
        "rest": found.rest,
        "as_shown": found.digest,
    }


def check_shown(found: Alike, digest: str) -> None:
    """Raise UsageError when something else was shown than is there now."""
    if digest and digest != found.digest:
        problem = f"expected what came to {digest}, found {found.digest}: something changed since it was shown"
        raise UsageError("--as-shown", problem, "Look again with --dry-run.")


def print_dossier(row: DecisionRow, dossier: Dossier, vault: EvidenceVault) -> None:
    """Print what a person decides by: the rule and its question, and each statement with the text that it was read from."""
    say(f"{row.subject}: {row.state}", "bold")
    say(f"title        {dossier.title}")
    say(f"artist       {dossier.artist}")
    say(f"rule         {row.rule}: {row.reason}")
    say(f"question     {row.remedy}")
    if row.settlement:
        say(f"decided      {row.settlement}")
    if dossier.reference:
        say(f"taken in by  fonoteca acquire {dossier.reference}")
    told: set[str] = set()
    for each in dossier.evidence:
        if (key := text_key(each)) in told:
            continue
        told.add(key)
        say()
        say(f"{each.declarer or each.scheme} says, read {each.observed_at:%Y-%m-%d} at {each.source_uri or 'no address'}:", "bold")
        say(f"  {each.statement}")
        say(f"  {each.scheme}; text={key}; kept as {each.salted_sha256[:16]}")
        kept = vault.begin_of(each.salted_sha256, RAW_BYTES_MAX) if each.salted_sha256 else None
        lines = kept[0].decode("utf-8", "replace").splitlines() if kept else []
        for line in lines if lines != [each.statement] else []:
            say(f"  | {line}")
    if dossier.more:
        say(f"and {dossier.more} more pieces of evidence")


def dossier_of(register: Register, object_id: ObjectId) -> tuple[DecisionRow, Dossier]:
    """Return the newest decision about an object and what is kept of it. Raises: UsageError where rights never held it."""
    rows = register.review.about(object_id)
    if not rows:
        raise UsageError(object_id, "rights never held or refused it", "See `fonoteca rights review`.")
    return rows[0], register.review.dossier(rows[0])


def dossier_json(row: DecisionRow, dossier: Dossier) -> dict[str, Any]:
    """Return it as `--json` shows it."""
    return {
        "id": row.subject,
        "outcome": row.outcome,
        "rule": row.rule,
        "reason": row.reason,
        "next": row.remedy,
        "state": row.state,
        "settlement": row.settlement,
        "title": dossier.title,
        "artist": dossier.artist,
        "reference": dossier.reference,
        "evidence": [
            {
                "scheme": e.scheme,
                "statement": e.statement,
                "declarer": e.declarer,
                "source": e.source_uri,
                "observed_at": instant(e.observed_at),
                "salted_sha256": e.salted_sha256,
                "text": text_key(e),
            }
            for e in dossier.evidence
        ],
        "more": dossier.more,
    }
