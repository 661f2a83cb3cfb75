"""What a harvester asks: the arguments of a request, checked as sections 3.1 and 3.6 of the protocol say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import parse_qsl

ARGUMENTS_MAX = 20
"""The protocol has seven."""

ARGUMENT_CHARACTERS_MAX = 2_000
"""Longer than any identifier or token of ours."""


class Verb(StrEnum):
    """The six requests."""

    IDENTIFY = "Identify"
    LIST_METADATA_FORMATS = "ListMetadataFormats"
    LIST_SETS = "ListSets"
    LIST_IDENTIFIERS = "ListIdentifiers"
    LIST_RECORDS = "ListRecords"
    GET_RECORD = "GetRecord"


class Code(StrEnum):
    """The protocol's errors. Two of its eight cannot happen here: there are always sets, and every record has both formats."""

    BAD_ARGUMENT = "badArgument"
    BAD_RESUMPTION_TOKEN = "badResumptionToken"  # noqa: S105: the protocol's word
    BAD_VERB = "badVerb"
    CANNOT_DISSEMINATE_FORMAT = "cannotDisseminateFormat"
    ID_DOES_NOT_EXIST = "idDoesNotExist"
    NO_RECORDS_MATCH = "noRecordsMatch"


class OaiError(Exception):
    """A request that is answered by an error of the protocol. words: for whoever reads it."""

    def __init__(self, code: Code, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


@dataclass(frozen=True, slots=True)
class _Rule:
    """The arguments that a verb takes."""

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    resumes: bool = False


_LISTING = _Rule(frozenset({"metadataPrefix"}), frozenset({"from", "until", "set"}), resumes=True)
_RULES: Mapping[Verb, _Rule] = {
    Verb.IDENTIFY: _Rule(),
    Verb.LIST_METADATA_FORMATS: _Rule(optional=frozenset({"identifier"})),
    Verb.LIST_SETS: _Rule(resumes=True),
    Verb.LIST_IDENTIFIERS: _LISTING,
    Verb.LIST_RECORDS: _LISTING,
    Verb.GET_RECORD: _Rule(frozenset({"identifier", "metadataPrefix"})),
}

# As OAI-PMH.xsd has them: what an answer repeats of its request must be valid too.
_NAME = r"[A-Za-z0-9\-_.!~*'()]+"
_FORMS: Mapping[str, re.Pattern[str]] = {
    "metadataPrefix": re.compile(_NAME),
    "set": re.compile(rf"{_NAME}(?::{_NAME})*"),
    "identifier": re.compile(r"[a-z][a-z0-9+.-]*:(?:[A-Za-z0-9\-_.!~*'();/?:@&=+$,]|%[0-9A-Fa-f]{2})+"),
    "from": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?", re.ASCII),
    "until": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?", re.ASCII),
    "resumptionToken": re.compile(r"[A-Za-z0-9_.-]+"),
}
_DAY = len("2026-11-23")


@dataclass(frozen=True, slots=True)
class Question:
    """A request that is as the protocol wants it. arguments: without the verb."""

    verb: Verb
    arguments: Mapping[str, str]


def parse_question(encoded: str) -> Question:
    """Return the request in a query or a form. Raises: OaiError."""
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, errors="replace", max_num_fields=ARGUMENTS_MAX)
    except ValueError as error:
        raise OaiError(Code.BAD_ARGUMENT, f"More than {ARGUMENTS_MAX} arguments.") from error
    verbs = [value for name, value in pairs if name == "verb"]
    if len(verbs) != 1 or verbs[0] not in tuple(Verb):
        raise OaiError(Code.BAD_VERB, f"Expected one verb of {', '.join(Verb)}.")
    verb, arguments = Verb(verbs[0]), {name: value for name, value in pairs if name != "verb"}
    _check_names(verb, Counter(name for name, _ in pairs))
    for name, value in arguments.items():
        if len(value) > ARGUMENT_CHARACTERS_MAX or not _FORMS[name].fullmatch(value):
            code = Code.BAD_RESUMPTION_TOKEN if name == "resumptionToken" else Code.BAD_ARGUMENT
            raise OaiError(code, f"The {name} is not of the form that the protocol gives it.")
    return Question(verb, arguments)


def _check_names(verb: Verb, counts: Counter[str]) -> None:
    """Raise OaiError for arguments that are unknown, there twice, missing, or beside a token (section 3.5)."""
    rule, names = _RULES[verb], set(counts) - {"verb"}
    repeated = [name for name in _FORMS if counts[name] > 1]
    if repeated:
        raise OaiError(Code.BAD_ARGUMENT, f"The argument {repeated[0]} is there more than once.")
    resumes = rule.resumes and "resumptionToken" in names
    allowed = frozenset({"resumptionToken"}) if resumes else rule.required | rule.optional
    if names - allowed:
        where = " beside a resumptionToken" if resumes else ""
        raise OaiError(Code.BAD_ARGUMENT, f"{verb} takes no such argument{where}: it knows {', '.join(sorted(allowed)) or 'none'}.")
    if not resumes and rule.required - names:
        raise OaiError(Code.BAD_ARGUMENT, f"{verb} needs {' and '.join(sorted(rule.required - names))}.")


def parse_bounds(arguments: Mapping[str, str]) -> tuple[datetime | None, datetime | None]:
    """Return from when, inclusive, and before when, exclusive, of days or seconds (sections 2.7.1 and 3.3). Raises: OaiError."""
    since, until = arguments.get("from"), arguments.get("until")
    if since and until and len(since) != len(until):
        raise OaiError(Code.BAD_ARGUMENT, "from and until are of different granularity.")
    first, last = (_moment(each) if each else None for each in (since, until))
    if first and last and first > last:
        raise OaiError(Code.BAD_ARGUMENT, "from is later than until.")
    if last is None or until is None:
        return first, None
    try:
        return first, last + (timedelta(days=1) if len(until) == _DAY else timedelta(seconds=1))
    except OverflowError:
        return first, None  # the last day that there is


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise OaiError(Code.BAD_ARGUMENT, f"There is no such time as {text}.") from error


def second(moment: datetime) -> str:
    """Return a moment as the protocol writes it, such as 2026-11-23T05:05:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
