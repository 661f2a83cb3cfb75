"""The gate: candidates in, decisions out. Pure: no disk, no clock, no settings but its arguments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from fonoteca.formats.robots import preferences
from fonoteca.model.corridor import Candidate
from fonoteca.model.ids import ItemKey
from fonoteca.model.rights import (
    Act,
    Admission,
    AiConsent,
    AiPurpose,
    Decision,
    Duty,
    Evidence,
    Hold,
    Kind,
    Licence,
    Policy,
    Refusal,
    RightsRecord,
)
from fonoteca.model.terms import ALWAYS, ANYWHERE, Place, Term
from fonoteca.rights._admissions import HoldingAdmission, LocalAdmission, OpenAdmission
from fonoteca.rights.rules import PROTECTED, PROTECTED_REMEDY, Case, Facts, judge, open_case
from fonoteca.rights.table import texts_with

_USES = {
    "bots": tuple(AiPurpose),
    "train-ai": (AiPurpose.GENERATIVE_TRAINING, AiPurpose.OTHER_TRAINING),
    "train-genai": (AiPurpose.GENERATIVE_TRAINING,),
    "tdm": tuple(AiPurpose),
}
"""What uses of a Content-Usage statement come to here (draft-ietf-aipref-vocab)."""


@dataclass(frozen=True, slots=True)
class _Terms:
    """What an admission says besides its licence. acts, may_transcode and term: what it must stay within."""

    item: ItemKey
    kind: Kind
    notices: str
    ai: Mapping[AiPurpose, AiConsent]
    acts: frozenset[Act] = frozenset(Act)
    may_transcode: bool = True
    term: Term = ALWAYS


def decide(candidate: Candidate, policy: Policy, now: datetime) -> Decision:
    """Return whether the candidate may be held: an admission with its acts, a refusal, or a hold with a question for a person.

    An admission that grants SHARE to anyone now is a `SharingAdmission`, and no other is; one of a term that has not begun is none.
    AI consent is never read from a licence: `ai` has what the host reserved, and what is not in it is unknown. Its notices have the
    licence's text where that must come with copies.
    Cost: some 60 µs, and 1 ms where there is such a text; the same arguments always give the same decision.
    """
    credit = candidate.attribution or _credit(candidate)
    facts = Facts(
        candidate.item, candidate.evidence, credit, candidate.notices, candidate.left_out, bool(candidate.files), candidate.term
    )
    case = open_case(facts, policy)
    outcome = judge(case)
    if outcome is not None:
        return outcome
    notices = _notices(_licence(case), candidate.notices)
    terms = _Terms(candidate.item, candidate.kind, notices, reserved(candidate.usage), term=candidate.term)
    return _admit(case, terms, now, ANYWHERE)


def judge_again(record: RightsRecord, policy: Policy, now: datetime, place: Place) -> Decision:
    """Return the decision on the way out: the evidence on record, judged by the table and the policy of today.

    Under the policy and table of the admission its acts are the same. They are never more than the record grants, so what a
    person took away stays away; where the evidence leads to another licence today, a person is asked. What its term does not
    let out at `now` to `place` is admitted to be held, and is no `SharingAdmission`. place: ANYWHERE for everyone everywhere.
    decided_at is now: what is published takes the record's own.
    """
    evidence = tuple(Evidence(e.scheme, e.statement, e.source_uri, e.declarer, e.observed_at) for e in record.evidence)
    case = open_case(Facts(record.item, evidence, record.attribution, record.notices, term=record.term), policy)
    outcome = judge(case)
    if outcome is not None:
        return outcome
    licence = _licence(case)
    if licence.uri != record.licence_uri:
        return Hold(
            record.item,
            "licence-changed",
            f"it was admitted under {record.licence_uri}, and its evidence now leads to {licence.uri}",
            "Under which licence is it held from now on?",
        )
    if Act.HOLD not in record.acts:
        return Refusal(record.item, "no-longer-held", "its record grants no holding", "Withdraw the item.")
    terms = _Terms(record.item, record.kind, record.notices, dict(record.ai), record.acts, record.transcode != "", record.term)
    return _admit(case, terms, now, place)


def judge_restated(record: RightsRecord, said: Sequence[Evidence], policy: Policy, now: datetime) -> Decision:
    """Return what would be decided of something that is held by what its source says now, instead of the evidence on record."""
    case = open_case(Facts(record.item, tuple(said), record.attribution, record.notices, term=record.term), policy)
    terms = _Terms(record.item, record.kind, record.notices, dict(record.ai), term=record.term)
    return judge(case) or _admit(case, terms, now, ANYWHERE)


def reserved(usage: str) -> Mapping[AiPurpose, AiConsent]:
    """Return the purposes that a Content-Usage statement reserves. What it allows is no consent: a host is seldom the holder."""
    said = preferences([usage]) if usage else {}
    uses = {purpose for use, purposes in _USES.items() if said.get(use) is False for purpose in purposes}
    return {purpose: AiConsent.RESERVED for purpose in AiPurpose if purpose in uses}


def policy_digest(policy: Policy) -> str:
    """Return the hexadecimal SHA-256 of the policy as JSON with sorted keys: equal policies have equal digests.

    A country that nobody said is left out, so that a policy has the digest that it had before there was one.
    """
    said = {name: value for name, value in asdict(policy).items() if (name, value) != ("country", "")}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def protected_refusal(item: str, path: str, marker: str) -> Refusal:
    """Return the refusal of a file that is technically protected. marker: what was found, such as `mp4 box enca`."""
    return Refusal(f"{item}: {path}", PROTECTED, f"the file is technically protected ({marker})", PROTECTED_REMEDY)


def _admit(case: Case, terms: _Terms, now: datetime, place: Place) -> Admission:
    """Return the admission of a case that passed all rules, as it holds at a moment and a place."""
    licence = _licence(case)
    acts = licence.permits & terms.acts
    make: type[HoldingAdmission | LocalAdmission | OpenAdmission] = HoldingAdmission
    if Act.SHARE in acts and terms.term.closed(now, place) is None:
        make = OpenAdmission if terms.term.territories is None else LocalAdmission
    return make(
        item=terms.item,
        kind=terms.kind,
        licence=licence,
        acts=acts,
        transcode=_transcode(licence, acts) if terms.may_transcode else "",
        attribution=case.facts.credit,
        notices=terms.notices,
        evidence=case.facts.evidence,
        rule=case.basis.value,
        decided_at=now,
        policy_digest=policy_digest(case.policy),
        ai=terms.ai,
        term=terms.term,
    )


def _notices(licence: Licence, given: str) -> str:
    """Return what must travel with copies: the notices that the source gives, else the licence's name and address; and after
    them each whole text that the licence wants to come along and they have not.
    """
    named = f"{licence.name}: {licence.uri}" if Duty.NOTICE in licence.requires else ""
    said = " ".join(given.split())
    missing = (text for text in texts_with(licence) if " ".join(text.split()) not in said)
    return "\n\n".join(part for part in (given or named, *missing) if part)


def _transcode(licence: Licence, acts: frozenset[Act]) -> str:
    """Return what allows another format of the work: the act, else the licence's clause, else ""."""
    if Act.DERIVE in acts:
        return "act derive"
    return f"{licence.name}, {licence.format_change}" if licence.format_change else ""


def _credit(candidate: Candidate) -> str:
    """Return a credit line from what the candidate says of itself, "" when it names neither artist nor title.

    An address alone credits no one (CC BY 4.0 section 3(a)(1)(A) asks for the creator; 3.0 section 4 for author and title).
    """
    title = f"“{candidate.title}”" if candidate.title else ""
    credit = " by ".join(part for part in (title, candidate.artist) if part)
    return f"{credit}, from {candidate.source_uri}" if credit and candidate.source_uri else credit


def _licence(case: Case) -> Licence:
    assert case.settled is not None, "the rules let no case without a licence pass"
    return case.settled
