from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteca.model.corridor import Candidate, CandidateFile, LeftOut
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ItemKey, LogicalPath
from fonoteca.model.rights import (
    Act,
    Admission,
    AiConsent,
    AiPurpose,
    Evidence,
    Hold,
    Kind,
    Policy,
    PublishedEvidence,
    PublishingAdmission,
    Refusal,
    RightsRecord,
    Scheme,
    SharingAdmission,
)
from fonoteca.model.terms import ANYWHERE, Place, Term
from fonoteca.rights import OWN_WORK_URI, RULES, decide, judge_again, licences, policy_digest, protected_refusal
from fonoteca.rights.table import table

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CC = "https://creativecommons.org/licenses/"
FILE = CandidateFile(LogicalPath("01.ogg"), None, lambda: io.BytesIO(b""))


def said(scheme: Scheme, statement: str, at: datetime = NOW) -> Evidence:
    return Evidence(scheme, statement, "https://source.example/", "test", at, b"raw")


def candidate(*evidence: Evidence, **changes: object) -> Candidate:
    plain = Candidate(ItemKey("test:item"), Kind.AUDIO, "Title", "Artist", "https://source.example/item", (FILE,), tuple(evidence))
    return replace(plain, **changes)  # type: ignore[arg-type]


def under(path: str) -> Candidate:
    return candidate(said(Scheme.LICENCE_URI, CC + path))


def admitted(decision: object) -> Admission:
    assert isinstance(decision, Admission), decision
    return decision


def held(decision: object, rule: str) -> Hold:
    assert isinstance(decision, Hold), decision
    assert decision.rule == rule
    return decision


def refused(decision: object, rule: str) -> Refusal:
    assert isinstance(decision, Refusal), decision
    assert decision.rule == rule
    return decision


def record_of(admission: Admission) -> RightsRecord:
    published = tuple(
        PublishedEvidence(e.scheme, e.statement, e.source_uri, e.declarer, e.observed_at, "ab" * 32) for e in admission.evidence
    )
    return RightsRecord(
        admission.item,
        admission.kind,
        admission.licence.uri,
        admission.acts,
        admission.transcode,
        admission.attribution,
        admission.notices,
        published,
        admission.rule,
        admission.decided_at,
        admission.policy_digest,
        admission.ai,
    )


# What is admitted, and with which acts


@pytest.mark.parametrize(
    ("path", "acts", "transcode"),
    [
        ("by/4.0/", {Act.HOLD, Act.SHARE, Act.DERIVE, Act.COMMERCIAL}, "act derive"),
        ("by-nc-sa/3.0/", {Act.HOLD, Act.SHARE, Act.DERIVE}, "act derive"),
        ("by-nd/3.0/", {Act.HOLD, Act.SHARE, Act.COMMERCIAL}, "CC BY-ND 3.0, section 3"),
        ("by-nc-nd/4.0/", {Act.HOLD, Act.SHARE}, "CC BY-NC-ND 4.0, section 2(a)(4)"),
        ("by-nc-nd/2.5/scotland/", {Act.HOLD, Act.SHARE}, ""),
    ],
)
def test_acts_and_change_of_format_are_those_of_the_licence(path: str, acts: set[Act], transcode: str) -> None:
    admission = admitted(decide(under(path), Policy(), NOW))
    assert admission.acts == acts
    assert admission.transcode == transcode
    assert admission.rule == "licence"
    assert admission.decided_at == NOW
    assert admission.policy_digest == policy_digest(Policy())


def test_ai_consent_is_never_read_from_a_licence() -> None:
    for uri in licences():
        decision = decide(candidate(said(Scheme.LICENCE_URI, uri)), Policy(), NOW)
        assert not isinstance(decision, Admission) or decision.ai == {}


def test_real_packages_get_the_right_decision() -> None:
    text = said(Scheme.FREE_TEXT, "copyright file, 11 kB")
    assert (
        admitted(decide(candidate(text, said(Scheme.TAG, "GPL")), Policy(), NOW)).licence.name == "GPL, any version"
    )  # wesnoth, 32
    held(decide(candidate(text), Policy(), NOW), "free-text-only")  # wesnoth, 9
    singularity = candidate(text, said(Scheme.TAG, "http://creativecommons.org/licenses/by-sa/3.0/"))
    assert admitted(decide(singularity, Policy(), NOW)).licence.uri == CC + "by-sa/3.0/"
    assert admitted(decide(candidate(said(Scheme.DEP5, "GPL-3+")), Policy(), NOW)).licence.name == "GPL 3 or later"  # planetblupi
    assert admitted(decide(candidate(said(Scheme.DEP5, "GPL-2+")), Policy(), NOW)).licence.name == "GPL 2 or later"  # asc


def test_statements_that_say_the_same_admit_and_are_all_kept() -> None:
    evidence = (said(Scheme.SPDX, "CC-BY-3.0"), said(Scheme.TAG, "CC BY 3.0"), said(Scheme.LICENCE_URI, CC + "by/3.0/legalcode"))
    assert admitted(decide(candidate(*evidence), Policy(), NOW)).evidence == evidence


def test_vaguer_gnu_tag_does_not_contradict_the_package() -> None:
    decision = decide(candidate(said(Scheme.DEP5, "GPL-2+"), said(Scheme.TAG, "GPL")), Policy(), NOW)
    assert admitted(decision).licence.name == "GPL 2 or later"


def test_licensee_of_a_choice_takes_what_grants_most() -> None:
    admission = admitted(decide(candidate(said(Scheme.DEP5, "CC-BY-NC-SA-3.0 or CC-BY-SA-3.0")), Policy(), NOW))
    assert admission.rule == "choice"
    assert Act.COMMERCIAL in admission.acts


def test_choice_is_narrowed_by_what_else_is_said() -> None:
    evidence = said(Scheme.DEP5, "CC-BY-NC-SA-3.0 or CC-BY-SA-3.0"), said(Scheme.TAG, "CC BY-NC-SA 3.0")
    assert Act.COMMERCIAL not in admitted(decide(candidate(*evidence), Policy(), NOW)).acts


def test_licences_that_apply_together_grant_what_all_permit() -> None:
    admission = admitted(decide(candidate(said(Scheme.DEP5, "GPL-2+ and CC-BY-NC-3.0")), Policy(), NOW))
    assert admission.rule == "all-of"
    assert admission.acts == {Act.HOLD, Act.SHARE, Act.DERIVE}
    held(decide(candidate(said(Scheme.DEP5, "GPL-2+ and Nonesuch")), Policy(), NOW), "licence-unknown")


@pytest.mark.parametrize("statement", ["own: hold", "hold", " HOLD "])
def test_owner_may_grant_holding_without_sharing(statement: str) -> None:
    admission = admitted(decide(candidate(said(Scheme.OWNER, statement)), Policy(), NOW))
    assert admission.acts == {Act.HOLD}
    assert not isinstance(admission, SharingAdmission)
    assert admission.licence.uri == OWN_WORK_URI


def test_owner_grants_the_acts_they_name_and_holding_with_them() -> None:
    admission = admitted(decide(candidate(said(Scheme.OWNER, "own: derive share")), Policy(), NOW))
    assert isinstance(admission, SharingAdmission)
    assert admission.acts == admission.licence.permits == {Act.HOLD, Act.SHARE, Act.DERIVE}
    assert admission.transcode == "act derive"


def test_admission_crosses_to_another_process_whole() -> None:
    admission = admitted(decide(under("by/4.0/"), Policy(), NOW))
    assert pickle.loads(pickle.dumps(admission)) == admission


# Credit and notices


def test_credit_is_the_evidence_s_own_or_built_from_what_is_known() -> None:
    work = under("by/4.0/")
    assert admitted(decide(work, Policy(), NOW)).attribution == "“Title” by Artist, from https://source.example/item"
    assert admitted(decide(replace(work, attribution="By A"), Policy(), NOW)).attribution == "By A"
    assert admitted(decide(replace(work, artist="", source_uri=""), Policy(), NOW)).attribution == "“Title”"


def test_nobody_to_credit_is_a_question_only_where_credit_is_asked_for() -> None:
    nameless = replace(under("by/4.0/"), artist="", title="")
    held(decide(nameless, Policy(), NOW), "no-credit")
    free = replace(nameless, evidence=(said(Scheme.SPDX, "CC0-1.0"),))
    assert admitted(decide(free, Policy(), NOW)).attribution == ""


def test_notice_that_a_licence_asks_for_is_at_least_its_name_and_address() -> None:
    assert admitted(decide(under("by/4.0/"), Policy(), NOW)).notices == f"CC BY 4.0: {CC}by/4.0/"
    assert admitted(decide(replace(under("by/4.0/"), notices="text"), Policy(), NOW)).notices == "text"


@pytest.mark.parametrize(
    ("statement", "titles"),
    [
        ("GPL-2.0-or-later", ["GNU GENERAL PUBLIC LICENSE Version 2, June 1991"]),
        ("GPL-3.0-only", ["GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007"]),
        ("LGPL-3.0-only", ["GNU LESSER GENERAL PUBLIC LICENSE Version 3", "GNU GENERAL PUBLIC LICENSE Version 3"]),
        ("Apache-2.0 AND GFDL-1.3-only", ["Apache License Version 2.0", "GNU Free Documentation License Version 1.3"]),
    ],
)
def test_text_that_must_come_with_copies_comes_whole_and_once(statement: str, titles: list[str]) -> None:
    work = candidate(said(Scheme.SPDX, statement), notices="Copyright: 2002 A\nsee /usr/share/common-licenses")
    admission = admitted(decide(work, Policy(), NOW))
    plain = " ".join(admission.notices.split())
    assert plain.startswith("Copyright: 2002 A see")
    assert [title for title in titles if plain.count(title) != 1] == []
    again = replace(work, notices="  " + admission.notices.replace("\n", "\r\n  "))
    assert admitted(decide(again, Policy(), NOW)).notices == again.notices


def test_notice_that_only_its_holder_can_write_must_be_there() -> None:
    for name in ("MIT", "BSD-3-Clause", "ISC", "MIT AND CC0-1.0"):
        work = candidate(said(Scheme.SPDX, name))
        held(decide(work, Policy(), NOW), "no-notice")
        assert admitted(decide(replace(work, notices="Copyright 2002 A ..."), Policy(), NOW)).notices == "Copyright 2002 A ..."


# What is held or refused


def test_no_evidence_is_held() -> None:
    assert held(decide(candidate(), Policy(), NOW), "no-evidence").question


@pytest.mark.parametrize(
    ("evidence", "rule"),
    [
        ([(Scheme.FREE_TEXT, "a text")], "free-text-only"),
        ([(Scheme.TAG, "2004 A. Name")], "free-text-only"),
        ([(Scheme.LICENCE_URI, "http://freemusicarchive.org/FMA_License")], "licence-unknown"),
        ([(Scheme.LICENCE_URI, "")], "licence-unknown"),
        ([(Scheme.TAG, "Creative Commons")], "licence-unknown"),
        ([(Scheme.TAG, "CC BY-NC"), (Scheme.SPDX, "CC-BY-4.0")], "licence-unknown"),
        ([(Scheme.DEP5, "Nonesuch"), (Scheme.TAG, "GPL")], "licence-unknown"),
        ([(Scheme.SPDX, "CC-BY-3.0"), (Scheme.TAG, "CC BY-NC 3.0")], "conflict"),
        ([(Scheme.SPDX, "CC-BY-3.0"), (Scheme.SPDX, "CC-BY-3.0-US")], "conflict"),
        ([(Scheme.OWNER, "hold share"), (Scheme.TAG, "CC BY 3.0")], "conflict"),
        ([(Scheme.OWNER, "hold share"), (Scheme.OWNER, "hold")], "conflict"),
        ([(Scheme.OWNER, "it is mine")], "own-work-unclear"),
        ([(Scheme.OWNER, "")], "own-work-unclear"),
        ([(Scheme.LICENCE_URI, CC + "nc-sampling+/1.0/")], "licence-review"),
        ([(Scheme.RIGHTS_STATEMENT, "http://rightsstatements.org/vocab/NoC-US/1.0/")], "status-open"),
        ([(Scheme.RIGHTS_STATEMENT, "http://rightsstatements.org/vocab/NKC/1.0/"), (Scheme.SPDX, "CC0-1.0")], "status-open"),
        ([(Scheme.DECISION, "as before")], "decision-unknown"),
        ([(Scheme.DECISION, OWN_WORK_URI)], "decision-unknown"),
    ],
)
def test_what_a_person_must_look_at_is_held(evidence: Sequence[tuple[Scheme, str]], rule: str) -> None:
    hold = held(decide(candidate(*(said(scheme, statement) for scheme, statement in evidence)), Policy(), NOW), rule)
    assert hold.reason
    assert hold.question


def test_conflict_names_both_sides() -> None:
    hold = decide(candidate(said(Scheme.SPDX, "CC-BY-3.0"), said(Scheme.TAG, "CC BY-NC 3.0")), Policy(), NOW)
    assert "CC BY 3.0 against CC BY-NC 3.0" in held(hold, "conflict").reason


def test_in_copyright_is_refused_even_beside_a_licence() -> None:
    in_copyright = said(Scheme.RIGHTS_STATEMENT, "https://rightsstatements.org/page/InC/1.0/")
    refused(decide(candidate(in_copyright), Policy(), NOW), "status-forbids")
    refused(decide(candidate(said(Scheme.SPDX, "CC-BY-4.0"), in_copyright), Policy(), NOW), "status-forbids")


def test_every_status_stops_an_item() -> None:
    for status in table().statuses.values():
        assert not isinstance(decide(candidate(said(Scheme.RIGHTS_STATEMENT, status.uri)), Policy(), NOW), Admission)
        assert not isinstance(decide(candidate(said(Scheme.LICENCE_URI, status.uri)), Policy(), NOW), Admission)


def test_policy_declines_what_it_says() -> None:
    refused(decide(under("by-nc/4.0/"), Policy(refuse_noncommercial=True), NOW), "policy-noncommercial")
    refused(decide(under("by-nd/4.0/"), Policy(refuse_noderivatives=True), NOW), "policy-noderivatives")
    admitted(decide(under("by-nd/4.0/"), Policy(refuse_noncommercial=True), NOW))
    own = candidate(said(Scheme.OWNER, "hold"))
    admitted(decide(own, Policy(refuse_noncommercial=True, refuse_noderivatives=True), NOW))
    held(decide(own, Policy(own_works=False), NOW), "own-work-declined")


@pytest.mark.parametrize("statement", [CC + "publicdomain/", "https://creativecommons.org/publicdomain/mark/1.0/"])
def test_public_domain_is_admitted_or_asked_about_as_the_policy_says(statement: str) -> None:
    work = candidate(said(Scheme.LICENCE_URI, statement))
    admitted(decide(work, Policy(), NOW))
    held(decide(work, Policy(public_domain="hold"), NOW), "public-domain")
    held(decide(work, Policy(public_domain="admti"), NOW), "public-domain")  # what cannot be read does not open the gate
    admitted(decide(candidate(said(Scheme.SPDX, "CC0-1.0")), Policy(public_domain="hold"), NOW))


def test_item_of_protected_files_alone_is_refused_whatever_else_is_said() -> None:
    protected = replace(under("by/4.0/"), files=(), left_out=(LeftOut("a.m4p", "protected", "mp4 box drms"),))
    for extra in ((), (said(Scheme.DECISION, CC + "by/4.0/"),)):
        refused(decide(replace(protected, evidence=protected.evidence + extra), Policy(), NOW), "protected")
    refused(protected_refusal("folder:x", "a.m4p", "mp4 box drms"), "protected")
    assert protected_refusal("folder:x", "a.m4p", "mp4 box drms").subject == "folder:x: a.m4p"


def test_item_of_which_no_file_can_be_taken_is_refused_with_the_reason() -> None:
    module = replace(under("by/4.0/"), files=(), left_out=(LeftOut("a.xm", "unsupported", "a tracker module"),))
    assert "a tracker module" in refused(decide(module, Policy(), NOW), "nothing-offered").reason


# A person's decision


@pytest.mark.parametrize(
    "evidence",
    [
        said(Scheme.FREE_TEXT, "a text"),
        said(Scheme.TAG, "see my site for the licence"),
        said(Scheme.RIGHTS_STATEMENT, "http://rightsstatements.org/vocab/CNE/1.0/"),
        said(Scheme.RIGHTS_STATEMENT, "http://rightsstatements.org/vocab/InC/1.0/"),
        said(Scheme.LICENCE_URI, CC + "by-nc/3.0/"),
        said(Scheme.OWNER, "it is mine"),
    ],
)
def test_decision_settles_what_evidence_left_open(evidence: Evidence) -> None:
    decision = decide(
        candidate(evidence, said(Scheme.DECISION, CC + "by/4.0/")), Policy(public_domain="hold", own_works=False), NOW
    )
    assert admitted(decision).rule == "decision"
    assert admitted(decision).licence.uri == CC + "by/4.0/"


def test_decision_may_take_a_licence_that_wants_review_but_none_that_forbids_copies() -> None:
    review = said(Scheme.LICENCE_URI, CC + "nc-sampling+/1.0/")
    admitted(decide(candidate(review, said(Scheme.DECISION, CC + "nc-sampling+/1.0/")), Policy(), NOW))
    refused(decide(candidate(said(Scheme.DECISION, CC + "sampling/1.0/")), Policy(), NOW), "no-copies")


def test_decision_does_not_override_the_policy() -> None:
    work = candidate(said(Scheme.FREE_TEXT, "a text"), said(Scheme.DECISION, CC + "by-nc/4.0/"))
    refused(decide(work, Policy(refuse_noncommercial=True), NOW), "policy-noncommercial")


def test_newest_decision_counts_and_two_at_once_are_asked_about() -> None:
    earlier, later = NOW - timedelta(days=1), NOW
    first, second = said(Scheme.DECISION, CC + "by/4.0/", earlier), said(Scheme.DECISION, CC + "by-nc/4.0/", later)
    assert admitted(decide(candidate(second, first), Policy(), NOW)).licence.uri == CC + "by-nc/4.0/"
    held(decide(candidate(second, replace(first, observed_at=later)), Policy(), NOW), "decision-unknown")


# On the way out

POLICIES = st.builds(
    Policy,
    refuse_noncommercial=st.booleans(),
    refuse_noderivatives=st.booleans(),
    public_domain=st.sampled_from(["admit", "hold"]),
    own_works=st.booleans(),
)
# Few enough that equal, narrower and conflicting statements often meet, and now and then any row of the table.
STATEMENTS = st.one_of(
    st.sampled_from(
        [
            *(
                (Scheme.LICENCE_URI, CC + path)
                for path in ("by/4.0/", "by-nc/4.0/", "by-nc-nd/3.0/", "by-nd/3.0/uk/", "sampling/1.0/")
            ),
            *((Scheme.SPDX, name) for name in ("CC-BY-4.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-3.0", "GPL-3.0-only", "CC0-1.0")),
            *((Scheme.DEP5, name) for name in ("GPL-2+", "GPL-3+", "public-domain", "GPL-2+ and CC-BY-NC-4.0", "Nonesuch")),
            *((Scheme.TAG, text) for text in ("GPL", "CC BY 4.0", "CC BY-NC 4.0", "2004 A. Name", "Creative Commons", "")),
            *((Scheme.OWNER, text) for text in ("hold", "own: hold share", "own: share derive commercial", "mine")),
            *((Scheme.RIGHTS_STATEMENT, f"http://rightsstatements.org/vocab/{name}/1.0/") for name in ("InC", "NKC")),
            (Scheme.FREE_TEXT, "a text"),
        ]
    ),
    st.tuples(st.sampled_from([Scheme.LICENCE_URI, Scheme.RIGHTS_STATEMENT]), st.sampled_from(sorted(licences()))),
    st.tuples(st.sampled_from([Scheme.SPDX, Scheme.DEP5, Scheme.TAG]), st.sampled_from(sorted(table().names))),
    st.tuples(st.sampled_from([Scheme.FREE_TEXT, Scheme.TAG]), st.text(max_size=30)),
)
EVIDENCE = STATEMENTS.map(lambda pair: said(*pair))
DECISIONS = st.sampled_from(sorted(licences())).map(lambda uri: said(Scheme.DECISION, uri))


@settings(max_examples=300)
@given(st.lists(st.one_of(EVIDENCE, DECISIONS), min_size=1, max_size=3), POLICIES)
def test_judged_again_under_the_same_policy_is_the_same(evidence: list[Evidence], policy: Policy) -> None:
    decision = decide(candidate(*evidence), policy, NOW)
    if isinstance(decision, Admission):
        again = admitted(judge_again(record_of(decision), policy, NOW + timedelta(days=1), ANYWHERE))
        assert type(again) is type(decision)
        assert (again.acts, again.licence, again.transcode) == (decision.acts, decision.licence, decision.transcode)
        assert (again.attribution, again.notices, again.rule) == (decision.attribution, decision.notices, decision.rule)


def test_judged_again_under_a_stricter_policy_is_not_let_out() -> None:
    record = record_of(admitted(decide(under("by-nc/4.0/"), Policy(), NOW)))
    refused(judge_again(record, Policy(refuse_noncommercial=True), NOW, ANYWHERE), "policy-noncommercial")


def test_record_that_grants_less_is_not_given_more() -> None:
    record = record_of(admitted(decide(under("by/4.0/"), Policy(), NOW)))
    again = admitted(judge_again(replace(record, acts=frozenset({Act.HOLD}), transcode=""), Policy(), NOW, ANYWHERE))
    assert again.acts == {Act.HOLD}
    assert again.transcode == ""
    assert not isinstance(again, SharingAdmission)
    refused(judge_again(replace(record, acts=frozenset()), Policy(), NOW, ANYWHERE), "no-longer-held")


def test_record_that_claims_more_than_its_evidence_is_not_believed() -> None:
    record = record_of(admitted(decide(under("by-nc-nd/2.0/uk/"), Policy(), NOW)))
    again = admitted(judge_again(replace(record, acts=frozenset(Act), transcode="act derive"), Policy(), NOW, ANYWHERE))
    assert again.acts == {Act.HOLD, Act.SHARE}
    assert again.transcode == ""
    held(judge_again(replace(record, licence_uri=CC + "by/4.0/"), Policy(), NOW, ANYWHERE), "licence-changed")
    held(judge_again(replace(record, evidence=()), Policy(), NOW, ANYWHERE), "no-evidence")


def test_recorded_ai_consent_is_kept_as_recorded() -> None:
    record = record_of(admitted(decide(under("by/4.0/"), Policy(), NOW)))
    consent = {AiPurpose.MINING: AiConsent.RESERVED}
    assert admitted(judge_again(replace(record, ai=consent), Policy(), NOW, ANYWHERE)).ai == consent


# Laws


@given(st.lists(st.sampled_from([said(Scheme.FREE_TEXT, "x"), said(Scheme.TAG, "2004 A. Name")]), max_size=3), POLICIES)
def test_without_a_statement_that_names_a_licence_nothing_is_admitted(evidence: list[Evidence], policy: Policy) -> None:
    assert isinstance(decide(candidate(*evidence), policy, NOW), Hold)


@settings(max_examples=300)
@given(st.lists(EVIDENCE, min_size=1, max_size=2), EVIDENCE, POLICIES)
def test_more_evidence_never_loosens_an_admission(evidence: list[Evidence], more: Evidence, policy: Policy) -> None:
    before, after = (decide(candidate(*all_of), policy, NOW) for all_of in (evidence, [*evidence, more]))
    if isinstance(before, Admission) and isinstance(after, Admission):
        assert after.acts <= before.acts


@settings(max_examples=300)
@given(st.lists(st.one_of(EVIDENCE, DECISIONS), max_size=3), POLICIES)
def test_admission_grants_no_more_than_its_licence_and_says_by_its_class_what_may_be_shared(
    evidence: list[Evidence], policy: Policy
) -> None:
    decision = decide(candidate(*evidence), policy, NOW)
    if isinstance(decision, Admission):
        assert Act.HOLD in decision.acts <= decision.licence.permits
        assert isinstance(decision, SharingAdmission) == (Act.SHARE in decision.acts)
        assert decision.evidence == tuple(evidence)
        assert bool(decision.transcode) >= (Act.DERIVE in decision.acts)
    else:
        assert decision.rule in {rule.name for rule in RULES}


@settings(max_examples=300)
@given(st.lists(EVIDENCE, max_size=3), POLICIES)
def test_stricter_policy_never_admits_more(evidence: list[Evidence], policy: Policy) -> None:
    strictest = Policy(refuse_noncommercial=True, refuse_noderivatives=True, public_domain="hold", own_works=False)
    if isinstance(decide(candidate(*evidence), strictest, NOW), Admission):
        assert isinstance(decide(candidate(*evidence), policy, NOW), Admission)


@settings(max_examples=300)
@given(st.lists(EVIDENCE, max_size=3), POLICIES)
def test_order_of_evidence_changes_neither_outcome_nor_acts(evidence: list[Evidence], policy: Policy) -> None:
    def outcome(items: Sequence[Evidence]) -> object:
        decision = decide(candidate(*items), policy, NOW)
        return (decision.licence.uri, decision.acts) if isinstance(decision, Admission) else (type(decision), decision.rule)

    assert outcome(evidence) == outcome(evidence[::-1])


def test_rules_have_names_of_their_own_and_each_is_reached() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    text = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in names if f'"{name}"' not in text] == []


def test_policy_digest_tells_policies_apart() -> None:
    assert policy_digest(Policy()) == policy_digest(Policy())
    assert len({policy_digest(p) for p in (Policy(), Policy(own_works=False), Policy(public_domain="hold"))}) == 3
    assert len(policy_digest(Policy())) == 64


def test_only_this_room_imports_the_concrete_admissions() -> None:
    source = Path(__file__).resolve().parents[2] / "src" / "fonoteca"
    users = {
        path.relative_to(source).parts[0] for path in source.rglob("*.py") if "_admissions" in path.read_text(encoding="utf-8")
    }
    assert users <= {"rights"}


# Terms


MAY = datetime(2027, 5, 1, tzinfo=UTC)
TERM = Term(MAY, MAY + timedelta(days=30), frozenset({"AT", "DE"}))
INSIDE = MAY + timedelta(days=1)


@pytest.mark.parametrize(
    ("term", "at", "place", "kind"),
    [
        (Term(MAY), MAY - timedelta(seconds=1), ANYWHERE, Admission),
        (Term(MAY), MAY, ANYWHERE, PublishingAdmission),
        (Term(None, MAY), MAY - timedelta(seconds=1), ANYWHERE, PublishingAdmission),
        (Term(None, MAY), MAY, ANYWHERE, Admission),
        (TERM, INSIDE, ANYWHERE, Admission),
        (TERM, INSIDE, Place("FR"), Admission),
        (TERM, INSIDE, Place("DE"), SharingAdmission),
        (TERM, MAY - timedelta(seconds=1), Place("DE"), Admission),
        (TERM, MAY + timedelta(days=30), Place("DE"), Admission),
    ],
)
def test_what_a_term_closes_is_held_and_no_sharing_admission(term: Term, at: datetime, place: Place, kind: type[Admission]) -> None:
    record = replace(record_of(admitted(decide(under("by/4.0/"), Policy(), NOW))), term=term)
    again = admitted(judge_again(record, Policy(), at, place))
    kinds = [each for each in (PublishingAdmission, SharingAdmission, Admission) if isinstance(again, each)]
    assert kinds[0] is kind
    assert again.acts == frozenset(Act)
    assert again.term == term
    early = admitted(decide(replace(under("by/4.0/"), term=term), Policy(), at))
    assert isinstance(early, SharingAdmission) == (term.closed(at, ANYWHERE) is None)


def test_what_is_not_permitted_where_the_archive_stands_is_not_held_there() -> None:
    local = replace(under("by/4.0/"), term=TERM)
    admitted(decide(local, Policy(country="DE"), NOW))
    admitted(decide(local, Policy(), NOW))
    refusal = refused(decide(local, Policy(country="FR"), NOW), "elsewhere")
    assert "in AT, DE alone, and this archive stands in FR" in refusal.reason
    record = replace(record_of(admitted(decide(under("by/4.0/"), Policy(), NOW))), term=TERM)
    refused(judge_again(record, Policy(country="FR"), INSIDE, Place("DE")), "elsewhere")
    with pytest.raises(UsageError, match="ISO 3166-1"):
        Policy(country="UK")


def test_a_policy_without_a_country_has_the_digest_that_it_always_had() -> None:
    assert policy_digest(Policy()) == "78b7349f33683499c98743c92366a607e01a91af4d59ea549922a979d7c8415f"
    assert policy_digest(Policy(country="DE")) != policy_digest(Policy())
