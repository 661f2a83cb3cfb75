"""The rules of the gate, in order: each has a name, and holds or refuses a case or lets it pass.

`RULES` is the whole gate. What passes all of them is admitted, under the name of what settled its licence (`Basis`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce

from fonoteca.model.corridor import LeftOut
from fonoteca.model.rights import Act, Duty, Evidence, Hold, Licence, Policy, Refusal, Scheme
from fonoteca.model.terms import ALWAYS, Term
from fonoteca.rights.statements import best, mentions_licence, read_options
from fonoteca.rights.table import OWN_WORK_URI, Status, asks_own_notice, find_status, narrower, table


class Basis(StrEnum):
    """What settled the licence of a case: the name of the rule in its admission."""

    LICENCE = "licence"
    """All statements name one licence, or one that the others include."""
    CHOICE = "choice"
    """The licensor offers several; the one that grants most was taken."""
    ALL_OF = "all-of"
    """Several licences apply at once; only what all of them permit is granted."""
    OWN_WORK = "own-work"
    """The operator's own declaration."""
    DECISION = "decision"
    """A person decided."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged: the same facts from a candidate and, on the way out, from a rights record.

    credit: the line that acknowledges the author, "" if nothing is known to build it from. notices: legal text that comes with
    it, "" for none. offers_files: whether any is left. term: when and where it may be shared.
    """

    subject: str
    evidence: tuple[Evidence, ...]
    credit: str
    notices: str
    left_out: tuple[LeftOut, ...] = ()
    offers_files: bool = True
    term: Term = ALWAYS


@dataclass(frozen=True, slots=True)
class Case:
    """Facts and policy, with every statement read.

    offers: for each statement that names licences, those to choose from. unread: statements that may limit what others grant.
    statuses: RightsStatements.org. owned: declarations of the operator, each as the acts that it grants, None if unreadable.
    decided: the licence that the newest decision settles on. settled: the licence that all evidence leads to; None for none.
    """

    facts: Facts
    policy: Policy
    offers: tuple[tuple[Licence, ...], ...]
    unread: tuple[Evidence, ...]
    statuses: tuple[Status, ...]
    owned: tuple[frozenset[Act] | None, ...]
    decisions: tuple[Evidence, ...]
    decided: Licence | None
    settled: Licence | None
    basis: Basis


def open_case(facts: Facts, policy: Policy) -> Case:
    """Return the case with every statement read once. Cost: some 20 µs a statement."""
    offers, unread, statuses, owned = [], [], [], []
    decisions = _newest_decisions(facts.evidence)
    for evidence in (e for e in facts.evidence if e.scheme is not Scheme.DECISION):
        status = find_status(evidence.statement) if evidence.scheme in _ADDRESSES else None
        options = read_options(evidence.statement, evidence.scheme)
        if status is not None:
            statuses.append(status)
        elif options:
            offers.append(options)
        elif evidence.scheme is Scheme.OWNER:
            owned.append(declared_acts(evidence.statement))
        elif evidence.scheme in _LICENCE_SCHEMES or (evidence.scheme is Scheme.TAG and mentions_licence(evidence.statement)):
            unread.append(evidence)
    decided = _one_decision(decisions)
    settled, basis = (decided, Basis.DECISION) if decisions else _settle(agree(offers), owned)
    return Case(
        facts=facts,
        policy=policy,
        offers=tuple(offers),
        unread=tuple(unread),
        statuses=tuple(statuses),
        owned=tuple(owned),
        decisions=decisions,
        decided=decided,
        settled=settled,
        basis=basis,
    )


_ADDRESSES = frozenset({Scheme.LICENCE_URI, Scheme.RIGHTS_STATEMENT})
_LICENCE_SCHEMES = frozenset({Scheme.LICENCE_URI, Scheme.SPDX, Scheme.DEP5, Scheme.RIGHTS_STATEMENT})


def declared_acts(statement: str) -> frozenset[Act] | None:
    """Return the acts that an owner's declaration such as `own: hold share` grants, HOLD among them; None if it says else."""
    words = statement.strip().casefold().removeprefix("own:").replace(",", " ").split()
    if not words or not set(words) <= {act.value for act in Act}:
        return None
    return frozenset(map(Act, words)) | {Act.HOLD}


def agree(offers: Sequence[tuple[Licence, ...]]) -> tuple[Licence, ...]:
    """Return the licences that all statements offer: the meet of their choices; () if they conflict or there are none."""

    def meet(ours: tuple[Licence, ...], theirs: tuple[Licence, ...]) -> tuple[Licence, ...]:
        met = [narrower(one, other) for one in ours for other in theirs]
        return tuple({licence.uri: licence for licence in met if licence is not None}.values())

    return reduce(meet, offers) if offers else ()


def _settle(agreed: tuple[Licence, ...], owned: Sequence[frozenset[Act] | None]) -> tuple[Licence | None, Basis]:
    if agreed:
        licence = best(agreed)
        joint = licence.uri not in table().licences
        return licence, Basis.ALL_OF if joint else Basis.CHOICE if len(agreed) > 1 else Basis.LICENCE
    declared = next((acts for acts in owned if acts is not None), None)  # others that differ are a conflict
    if declared is not None:
        return replace(table().licences[OWN_WORK_URI], permits=declared), Basis.OWN_WORK
    return None, Basis.LICENCE


def _newest_decisions(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Return the latest decision, or several where they were made at the same moment: an earlier one is superseded."""
    decisions = [e for e in evidence if e.scheme is Scheme.DECISION]
    latest = max((e.observed_at for e in decisions), default=None)
    return tuple(e for e in decisions if e.observed_at == latest)


def _one_decision(decisions: Sequence[Evidence]) -> Licence | None:
    licences = {option.uri: option for e in decisions for option in read_options(e.statement, e.scheme)}
    return licences.popitem()[1] if len(licences) == 1 else None


# ---------------------------------------------------------------------------------------------------------------------
# The rules. Each gets a case that all rules before it let pass, and answers None to let it pass too.

Judge = Callable[[Case], tuple[str, str] | None]
"""Returns the reason and what to do about it: the question of a hold, the remedy of a refusal."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. refuses: whether it refuses what it catches, else a person decides. why: what it is for, as docs show it.

    settled_by_person: whether a decision by a person settles it.
    """

    name: str
    refuses: bool
    settled_by_person: bool
    why: str
    judge: Judge

    def outcome(self, case: Case) -> Refusal | Hold | None:
        """Return the refusal or hold of a case that the rule catches."""
        if self.settled_by_person and case.decided is not None:
            return None
        caught = self.judge(case)
        if caught is None:
            return None
        reason, advice = caught
        if self.refuses:
            return Refusal(case.facts.subject, self.name, reason, advice)
        return Hold(case.facts.subject, self.name, reason, advice)


def _protected(case: Case) -> tuple[str, str] | None:
    protected = [left for left in case.facts.left_out if left.rule == PROTECTED]
    if case.facts.offers_files or not protected:
        return None
    return f"all of its files are protected: {protected[0].reason}", PROTECTED_REMEDY


PROTECTED = "protected"
PROTECTED_REMEDY = "Fonoteca never circumvents protection. Offer a copy without it, from someone who may give one."


def _nothing_offered(case: Case) -> tuple[str, str] | None:
    if case.facts.offers_files or not case.facts.left_out:
        return None
    first, others = case.facts.left_out[0], len(case.facts.left_out) - 1
    more = f" (and {others} more)" if others else ""
    return f"none of its files can be taken: {first.logical_path}{more}: {first.reason}", "Offer it in a form that can be held."


def _no_evidence(case: Case) -> tuple[str, str] | None:
    if case.facts.evidence:
        return None
    return "nothing says under which terms it may be held", "Under which licence is it, and who says so?"


def _decision_unknown(case: Case) -> tuple[str, str] | None:
    if not case.decisions or case.decided is not None:
        return None
    named = ", ".join(e.statement for e in case.decisions)
    return f"the decision names no one licence of the table: {named}", "Which licence, by its address, was meant?"


def _status_forbids(case: Case) -> tuple[str, str] | None:
    forbidding = [s for s in case.statuses if s.refuses]
    return (f"{forbidding[0].name}: {forbidding[0].reason}", forbidding[0].question) if forbidding else None


def _status_open(case: Case) -> tuple[str, str] | None:
    if not case.statuses:
        return None
    status = case.statuses[0]
    return f"{status.name} is a status, not a licence: {status.reason}", status.question


def _own_work_unclear(case: Case) -> tuple[str, str] | None:
    if all(acts is not None for acts in case.owned):
        return None
    return (
        "the owner's declaration names no acts",
        "Which acts does the owner grant: hold, share, derive, commercial; or under which licence, by its address?",
    )


def _own_work_declined(case: Case) -> tuple[str, str] | None:
    if not case.owned or case.policy.own_works:
        return None
    return "the policy does not admit a work on its owner's declaration alone", "Is it the operator's own, and under which licence?"


def _licence_unknown(case: Case) -> tuple[str, str] | None:
    if not case.unread:
        return None
    statement = case.unread[0]
    return (
        f"{statement.declarer or statement.scheme} says {_shown(statement.statement)}, which is no licence of the table",
        "Which licence is meant, and what does it permit?",
    )


def _conflict(case: Case) -> tuple[str, str] | None:
    declared = [f"the owner grants {_listed(acts)}" for acts in case.owned if acts is not None]
    if case.offers and not case.owned and agree(case.offers):
        return None
    if not case.offers and len({acts for acts in case.owned if acts is not None}) < 2:
        return None
    named = [" or ".join(licence.name for licence in options) for options in case.offers]
    said = list(dict.fromkeys([*named, *declared]))
    return f"the evidence disagrees: {' against '.join(said)}", "Which of them holds?"


def _free_text_only(case: Case) -> tuple[str, str] | None:
    if case.settled is not None:
        return None
    return "only text for people speaks of its rights", "Having read the text: under which licence is it?"


def _needs_review(case: Case) -> tuple[str, str] | None:
    licence = _licence(case)
    return (f"{licence.name}: {licence.review}", "May this archive hold it under that licence?") if licence.review else None


def _public_domain_held(case: Case) -> tuple[str, str] | None:
    # Anything but "admit" asks: a policy that cannot be read must not open the gate.
    if "public-domain" not in _licence(case).family or case.policy.public_domain == "admit":
        return None
    return (
        "a public domain mark is a claim of status, and the policy asks a person",
        "Is it in the public domain where it is served?",
    )


def _no_copies(case: Case) -> tuple[str, str] | None:
    licence = _licence(case)
    if Act.HOLD in licence.permits:
        return None
    return f"{licence.name} does not allow copies of the whole work", "Ask the rights holder for a licence that does."


def _noncommercial_declined(case: Case) -> tuple[str, str] | None:
    licence = _licence(case)
    if not case.policy.refuse_noncommercial or case.basis is Basis.OWN_WORK or Act.COMMERCIAL in licence.permits:
        return None
    return f"{licence.name} keeps commercial use back, and the policy declines that", _POLICY_REMEDY


def _noderivatives_declined(case: Case) -> tuple[str, str] | None:
    licence = _licence(case)
    if not case.policy.refuse_noderivatives or case.basis is Basis.OWN_WORK or Act.DERIVE in licence.permits:
        return None
    return f"{licence.name} allows no adaptations, and the policy declines that", _POLICY_REMEDY


_POLICY_REMEDY = "Nothing to do, unless [rights] in fonoteca.toml should say otherwise."


def _elsewhere(case: Case) -> tuple[str, str] | None:
    territories, country = case.facts.term.territories, case.policy.country
    if not territories or not country or country in territories:
        return None
    return (
        f"it is permitted in {', '.join(sorted(territories))} alone, and this archive stands in {country}",
        f"Ask the rights holder for {country} too, or let an archive keep it that stands there.",
    )


def _no_credit(case: Case) -> tuple[str, str] | None:
    licence = _licence(case)
    if Duty.ATTRIBUTION not in licence.requires or case.facts.credit:
        return None
    return f"{licence.name} asks for credit, and neither artist nor title is known", "Who is to be credited?"


def _no_notice(case: Case) -> tuple[str, str] | None:
    licence = _licence(case)
    if case.facts.notices or not asks_own_notice(licence):
        return None
    return (
        f"under {licence.name} the holder's notice must come with every copy, and there is none",
        "Where is the notice? Put it beside the files, and name it as `notices` in rights.toml.",
    )


RULES: tuple[Rule, ...] = (
    Rule(PROTECTED, True, False, "protection is detected and refused, whatever the licence says", _protected),
    Rule("nothing-offered", True, False, "an item of which no file can be taken is nothing to decide about", _nothing_offered),
    Rule("no-evidence", False, False, "nothing is held on no one's word", _no_evidence),
    Rule("decision-unknown", False, False, "a person's decision must name one licence of the table", _decision_unknown),
    Rule("status-forbids", True, True, "a status such as In Copyright needs the holder's permission", _status_forbids),
    Rule("status-open", False, True, "a status grants nothing, even beside a licence", _status_open),
    Rule("own-work-unclear", False, True, "a declaration grants the acts that it names", _own_work_unclear),
    Rule("own-work-declined", False, True, "the policy may want more than a declaration", _own_work_declined),
    Rule("licence-unknown", False, True, "an unknown licence may limit what a known one grants", _licence_unknown),
    Rule("conflict", False, True, "statements must agree, or one licence include the other", _conflict),
    Rule("free-text-only", False, True, "free text is evidence for a person, not a licence", _free_text_only),
    Rule("licence-review", False, True, "some licences have terms that the table cannot say", _needs_review),
    Rule("public-domain", False, True, "a mark is a claim of status; the policy says whether it is enough", _public_domain_held),
    Rule("no-copies", True, False, "a licence that allows no whole copies allows no holding", _no_copies),
    Rule("policy-noncommercial", True, False, "the policy may decline non-commercial licences", _noncommercial_declined),
    Rule("policy-noderivatives", True, False, "the policy may decline no-derivatives licences", _noderivatives_declined),
    Rule("elsewhere", True, False, "a copy is made where the archive stands: it must be permitted there", _elsewhere),
    Rule("no-credit", False, False, "credit that a licence asks for must be possible", _no_credit),
    Rule("no-notice", False, False, "a notice that only its holder can write must be there to travel with copies", _no_notice),
)


def judge(case: Case) -> Refusal | Hold | None:
    """Return what the first rule that catches the case makes of it, or None for a case to be admitted."""
    return next((outcome for rule in RULES if (outcome := rule.outcome(case)) is not None), None)


def _licence(case: Case) -> Licence:
    assert case.settled is not None, "free-text-only lets no case without a licence pass"
    return case.settled


def _listed(acts: frozenset[Act]) -> str:
    return ", ".join(act.value for act in Act if act in acts)


def _shown(statement: str) -> str:
    """Return the statement short enough for one line."""
    plain = " ".join(statement.split())
    return repr(plain if len(plain) <= 120 else plain[:119] + "…")
