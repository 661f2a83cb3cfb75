"""Nouns of rights. Four facts stay apart: legal status, archive permission, AI preference, and the evidence for each.

`Admission` cannot be made outside `fonoteca.rights`: it is abstract here, and only that room has concrete ones.
A function that takes an `Admission` can therefore not be called with a guess, one that takes a `SharingAdmission` not with
an item that may only be held, or not be shared now or there, and one that takes a `PublishingAdmission` not with one that is
for some countries alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ItemKey
from fonoteca.model.terms import ALWAYS, TERRITORIES, Term


class Kind(StrEnum):
    """What an object holds: an object has one kind and one admission."""

    AUDIO = "audio"
    ARTWORK = "artwork"


class Act(StrEnum):
    """What an archive may do with a work. Each is granted or not by itself."""

    HOLD = "hold"
    SHARE = "share"
    DERIVE = "derive"
    COMMERCIAL = "commercial"


class Duty(StrEnum):
    """What a licence asks in return."""

    ATTRIBUTION = "attribution"
    NOTICE = "notice"
    SHARE_ALIKE = "share-alike"
    SOURCE = "source"


class AiPurpose(StrEnum):
    """The four purposes of AI use that consent is recorded for, each by itself."""

    GENERATIVE_TRAINING = "generative_training"
    OTHER_TRAINING = "other_training"
    MINING = "mining"
    INFERENCE = "inference"


class AiConsent(StrEnum):
    """Consent to one purpose. Silence and a licence alone are `unknown`, never `allowed`."""

    UNKNOWN = "unknown"
    ALLOWED = "allowed"
    LICENSED = "licensed"
    RESERVED = "reserved"


class Scheme(StrEnum):
    """How a statement of rights is expressed; it decides how the statement is read."""

    LICENCE_URI = "licence-uri"
    SPDX = "spdx"
    DEP5 = "dep5"
    TAG = "tag"
    RIGHTS_STATEMENT = "rights-statement"
    FREE_TEXT = "free-text"
    OWNER = "owner"
    """The operator declares the work to be their own."""
    DECISION = "decision"
    """A person at this archive decided a hold; `statement` is the licence URI they settled on."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One statement about rights, as it was made.

    statement: a licence URI, an SPDX or DEP-5 short name, a tag's text; for free text a short description of it.
    declarer: a role (`packager`, `file tag`, `folder's rights.toml`, `operator`), never a person's name.
    raw: the bytes it was read from; kept private, published only as a salted digest.
    """

    scheme: Scheme
    statement: str
    source_uri: str
    declarer: str
    observed_at: datetime
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Licence:
    """One row of the licence table.

    uri: the canonical address and key. jurisdiction: a port's code such as `de`, or "".
    permits: acts that it grants. requires: duties. prohibits: acts that it withholds expressly.
    format_change: the clause that allows change of format without adaptation, such as "section 2(a)(4)"; "" if none.
    review: why a person must look first; "" for a licence that rules may admit.
    """

    uri: str
    name: str
    family: str
    version: str
    jurisdiction: str
    permits: frozenset[Act]
    requires: frozenset[Duty]
    prohibits: frozenset[Act]
    format_change: str = ""
    review: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator of this archive accepts, from `[rights]` in fonoteca.toml.

    refuse_noncommercial and refuse_noderivatives: an archive may decline such licences altogether.
    public_domain: `admit` takes a public domain mark as it is; `hold` asks a person, since a mark is a claim of status.
    own_works: whether a declaration that a work is the operator's own (`Scheme.OWNER`) admits it.
    country: where the archive stands, of ISO 3166-1, "" where nobody said.
    """

    refuse_noncommercial: bool = False
    refuse_noderivatives: bool = False
    public_domain: str = "admit"
    own_works: bool = True
    country: str = ""

    def __post_init__(self) -> None:
        """Check the country."""
        if self.country and self.country not in TERRITORIES:
            problem = "expected a code of ISO 3166-1 such as DE"
            raise UsageError(f"rights.country {self.country!r:.20}", problem, "Correct it in fonoteca.toml.")


@dataclass(frozen=True, slots=True)
class Admission(ABC):
    """The item may be held. Made by `fonoteca.rights` alone; without one nothing is ingested.

    acts: all that is granted, HOLD always among them. transcode: the clause or act that allows another format, "" if none does.
    attribution: the credit line to show. notices: legal text that must travel with copies.
    ai: consent per purpose; purposes not named are `unknown`.
    rule: the name of the rule that decided. policy_digest: hexadecimal SHA-256 of the policy that was in force.
    term: when and where what is granted may be shared.
    """

    item: ItemKey
    kind: Kind
    licence: Licence
    acts: frozenset[Act]
    transcode: str
    attribution: str
    notices: str
    evidence: tuple[Evidence, ...]
    rule: str
    decided_at: datetime
    policy_digest: str
    ai: Mapping[AiPurpose, AiConsent] = field(default_factory=dict)
    term: Term = ALWAYS

    @abstractmethod
    def _made_by_rights(self) -> None:
        """Keep this class abstract, so that only `fonoteca.rights` can make one."""


@dataclass(frozen=True, slots=True)
class SharingAdmission(Admission, ABC):
    """An admission that grants SHARE at the moment and the place it was asked for. Without one nothing is served."""


@dataclass(frozen=True, slots=True)
class PublishingAdmission(SharingAdmission, ABC):
    """A sharing admission for everyone everywhere. Without one nothing is published or seeded."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The item may not be held. rule: the name of the rule that decided. subject: the item or `item: file`."""

    subject: str
    rule: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A person must decide. question: what they are asked."""

    subject: str
    rule: str
    reason: str
    question: str


Decision = Admission | Refusal | Hold


@dataclass(frozen=True, slots=True)
class PublishedEvidence:
    """Evidence as rights.json shows it: facts, and a salted digest instead of the raw bytes ("" where there were none)."""

    scheme: Scheme
    statement: str
    source_uri: str
    declarer: str
    observed_at: datetime
    salted_sha256: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """What is kept of an item that rights did not admit, for who decides about it.

    reference: `KIND REF`, as `acquire` took it, "" where that is not known. more: pieces of evidence beyond those that are here.
    """

    title: str = ""
    artist: str = ""
    source_uri: str = ""
    reference: str = ""
    evidence: tuple[PublishedEvidence, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class RightsRecord:
    """An admission as rights.json keeps it; `fonoteca.rights.judge_again` makes an `Admission` of it or does not."""

    item: ItemKey
    kind: Kind
    licence_uri: str
    acts: frozenset[Act]
    transcode: str
    attribution: str
    notices: str
    evidence: tuple[PublishedEvidence, ...]
    rule: str
    decided_at: datetime
    policy_digest: str
    ai: Mapping[AiPurpose, AiConsent]
    term: Term = ALWAYS
