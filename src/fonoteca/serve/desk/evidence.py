"""What speaks for and against an item that waits: its evidence, the rule that held it, and what licences would grant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from fonoteca.formats.dossiers import text_key
from fonoteca.model.corridor import Candidate, CandidateFile
from fonoteca.model.ids import ItemKey, LogicalPath, ObjectId
from fonoteca.model.rights import (
    Act,
    Admission,
    Decision,
    Dossier,
    Evidence,
    Kind,
    Licence,
    Policy,
    PublishedEvidence,
    Scheme,
)
from fonoteca.rights import RULES, Rule, decide, describe, find_licence, licence_named
from fonoteca.serve.desk.side import DeskSide
from fonoteca.serve.desk.texts import RAW_BYTES_MAX, plain_text, raw_text

RAW_SHOWN_MOST = 12
"""Texts of one item that are shown whole; each may have 20 kB."""


@dataclass(frozen=True, slots=True)
class Said:
    """A statement, and each that says the same.

    raw: the text that it was read from, as far as it is shown, None where none is kept. raw_bytes: of all of it.
    licence: what the statement is read as, None for none.
    """

    statement: PublishedEvidence
    same: Sequence[PublishedEvidence]
    text: str
    licence: Licence | None
    raw: str | None
    raw_bytes: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A licence that a curator may choose. of_evidence: a statement names it.

    outcome: why rights would not admit the item under it, as far as is known, "" where they would.
    """

    licence: Licence
    words: str
    grants: Sequence[tuple[str, bool]]
    of_evidence: bool
    outcome: str
    admits: bool


_ACTS: Mapping[Act, str] = {
    Act.HOLD: "kept here",
    Act.SHARE: "given to anyone",
    Act.DERIVE: "changed, in format too",
    Act.COMMERCIAL: "sold",
}


def rule_named(name: str) -> Rule | None:
    """Return a rule of the gate, None for one that flows have, such as `licence-changed`."""
    return next((rule for rule in RULES if rule.name == name), None)


def statements(dossier: Dossier, side: DeskSide) -> list[Said]:
    """Return what the evidence says, each text once, in its order."""
    grouped: dict[tuple[str, str], list[PublishedEvidence]] = {}
    for each in dossier.evidence:
        grouped.setdefault((each.declarer, text_key(each)), []).append(each)
    found = []
    for number, same in enumerate(grouped.values()):
        first = same[0]
        kept = side.raw(first.salted_sha256, RAW_BYTES_MAX) if first.salted_sha256 and number < RAW_SHOWN_MOST else None
        raw, raw_bytes = (raw_text(kept[0]), kept[1]) if kept else (None, 0)
        licence = find_licence(first.statement, first.scheme)
        found.append(Said(first, same, plain_text(first.statement), licence, raw, raw_bytes))
    return found


@dataclass(frozen=True, slots=True)
class Gate:
    """What rights would answer, once a curator has decided. object_id: of what waits."""

    object_id: ObjectId
    dossier: Dossier
    policy: Policy
    now: datetime

    def offers(self, chosen: Iterable[str]) -> list[Offer]:
        """Return the licences to choose from: those chosen by their address, then those that the evidence names."""
        named = [licence for uri in chosen if (licence := licence_named(uri)) is not None]
        said = [found for each in self.dossier.evidence if (found := find_licence(each.statement, each.scheme)) is not None]
        of_evidence = {each.uri for each in said}
        distinct = {each.uri: each for each in (*named, *said)}
        return [self._offer(each, of_evidence=uri in of_evidence) for uri, each in distinct.items()]

    def decide(self, licence_uri: str) -> Decision:
        """Return what the gate would decide. What only the files could tell, such as their notices, is not known here."""
        evidence = [Evidence(e.scheme, e.statement, e.source_uri, e.declarer, e.observed_at) for e in self.dossier.evidence]
        ruling = Evidence(Scheme.DECISION, licence_uri, "", "curator", self.now)
        file = CandidateFile(LogicalPath("file"), None, _unopened)
        title, artist, source = self.dossier.title, self.dossier.artist, self.dossier.source_uri
        item, kind = ItemKey(self.object_id.key), Kind(self.object_id.kind)
        return decide(Candidate(item, kind, title, artist, source, (file,), (*evidence, ruling)), self.policy, self.now)

    def _offer(self, licence: Licence, *, of_evidence: bool) -> Offer:
        decision = self.decide(licence.uri)
        admits = isinstance(decision, Admission)
        outcome = "" if isinstance(decision, Admission) else f"{decision.reason} ({decision.rule})"
        grants = [(words, act in licence.permits) for act, words in _ACTS.items()]
        return Offer(licence, describe(licence), grants, of_evidence, outcome, admits)


def _unopened() -> BinaryIO:
    raise AssertionError("nothing of an item that waits is read")
