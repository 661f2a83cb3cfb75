"""The licence table, read from `licences.toml`: facts about licences and about rights statuses."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from fonoteca.model.rights import Act, Duty, Licence

CREATIVE_COMMONS = "https://creativecommons.org/licenses/"
OWN_WORK_URI = "urn:fonoteca:licence:own-work"
"""The uri of what the operator declares to be their own. Its acts are those declared, so nothing else may name it."""

AND = " AND "
"""Joins the uris of licences that apply together, as SPDX expressions do."""

_STATUSES = "rightsstatements.org/vocab/"


@dataclass(frozen=True, slots=True)
class Status:
    """A RightsStatements.org status. refuses: whether it rules an item out, else a person is asked `question`."""

    uri: str
    name: str
    refuses: bool
    reason: str
    question: str


@dataclass(frozen=True, slots=True)
class Table:
    """All rows. licences: by uri. names and addresses: what else names a licence, folded, to its uri.

    within: a licence's uri to the uris of the wider grants that include it. statuses: by folded address.
    texts: a licence's uri to the names of the texts that must come whole with every copy. own_notice: uris of those whose
    notice only the holder can write.
    """

    licences: Mapping[str, Licence]
    names: Mapping[str, str]
    addresses: Mapping[str, str]
    within: Mapping[str, frozenset[str]]
    statuses: Mapping[str, Status]
    texts: Mapping[str, tuple[str, ...]]
    own_notice: frozenset[str]


@dataclass(slots=True)
class _Rows:
    """The table while it is read."""

    licences: dict[str, Licence] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    within: dict[str, frozenset[str]] = field(default_factory=dict)

    def add(self, licence: Licence, names: list[str], addresses: list[str]) -> None:
        assert licence.uri not in self.licences, f"{licence.uri} is in licences.toml twice"
        self.licences[licence.uri] = licence
        for name in names:
            assert self.names.setdefault(fold_name(name), licence.uri) == licence.uri, f"two licences are called {name}"
        for address in [licence.uri, *addresses]:
            assert self.addresses.setdefault(fold_address(address), licence.uri) == licence.uri, f"two licences at {address}"


def fold_name(name: str) -> str:
    """Return a short name as the table compares it: lower case, every run of spaces, `_` and `-` as one hyphen."""
    return "-".join(name.casefold().replace("_", " ").replace("-", " ").split())


def fold_address(address: str) -> str:
    """Return an address as the table compares it: no protocol, no `www.`, no file suffix, no closing slash, lower case."""
    folded = address.strip().casefold().split("#", 1)[0].split("?", 1)[0]
    folded = folded.removeprefix("https:").removeprefix("http:").removeprefix("//").removeprefix("www.").rstrip("/")
    for suffix in (".html", ".htm", ".txt", ".json", ".php"):
        folded = folded.removesuffix(suffix)
    return folded


@cache
def table() -> Table:
    """Return the whole table. Cost: some 10 ms once in a process; a wrong licences.toml is our mistake and asserts."""
    facts = tomllib.loads(resources.files("fonoteca.rights").joinpath("licences.toml").read_text(encoding="utf-8"))
    rows = _Rows()
    for licence in _creative_commons(facts):
        rows.add(licence, [], [])
    for row in facts["licence"]:
        spdx = [row["uri"].rsplit("/", 1)[1].removesuffix(".html")] if row["uri"].startswith("https://spdx.org/") else []
        rows.add(_licence(row), spdx + row.get("names", []), row.get("addresses", []))
        rows.within[row["uri"]] = frozenset(f"https://spdx.org/licenses/{wider}.html" for wider in row.get("within", []))
    statuses = {fold_address(s.uri): s for s in map(_status, facts["status"])}
    texts = {row["uri"]: tuple(row["texts"]) for row in facts["licence"] if "texts" in row}
    return Table(
        MappingProxyType(rows.licences),
        MappingProxyType(rows.names),
        MappingProxyType(rows.addresses),
        MappingProxyType(rows.within),
        MappingProxyType(statuses),
        MappingProxyType(texts),
        frozenset(row["uri"] for row in facts["licence"] if row.get("own_notice", False)),
    )


def licences() -> Mapping[str, Licence]:
    """Return every licence by its uri, those of Creative Commons with all their versions and ports."""
    return table().licences


def licence_named(uri: str) -> Licence | None:
    """Return the licence with exactly this canonical uri, as `rights.json` keeps it, also of licences joined by ` AND `."""
    parts = [table().licences.get(part) for part in uri.split(AND)]
    known = [part for part in parts if part is not None]
    return together(known) if len(known) == len(parts) else None


def together(parts: list[Licence]) -> Licence:
    """Return one licence that stands for several which must all be obeyed: what all permit, what any requires or prohibits."""
    distinct = sorted({part.uri: part for part in parts}.values(), key=lambda part: part.uri)
    if len(distinct) == 1:
        return distinct[0]
    clauses = [part.format_change or ("act derive" if Act.DERIVE in part.permits else "") for part in distinct]
    return Licence(
        uri=AND.join(part.uri for part in distinct),
        name=" and ".join(part.name for part in distinct),
        family=" and ".join(sorted({part.family for part in distinct})),
        version="",
        jurisdiction="",
        permits=frozenset.intersection(*(part.permits for part in distinct)),
        requires=frozenset.union(*(part.requires for part in distinct)),
        prohibits=frozenset.union(*(part.prohibits for part in distinct)),
        format_change="; ".join(clauses) if all(clauses) else "",
        review="; ".join(part.review for part in distinct if part.review),
    )


def texts_with(licence: Licence) -> tuple[str, ...]:
    """Return the texts that must come whole with every copy under a licence, also one that stands for several."""
    names = (name for part in licence.uri.split(AND) for name in table().texts.get(part, ()))
    return tuple(_text(name) for name in dict.fromkeys(names))


def asks_own_notice(licence: Licence) -> bool:
    """Return whether copies must come with a notice that only the holder can write."""
    return not table().own_notice.isdisjoint(licence.uri.split(AND))


@cache
def _text(name: str) -> str:
    return resources.files("fonoteca.rights").joinpath("texts", f"{name}.txt").read_text(encoding="utf-8").strip("\n")


def narrower(one: Licence, other: Licence) -> Licence | None:
    """Return the licence that two statements agree on: the same, or the one that the other includes; None if they conflict."""
    if one.uri == other.uri or other.uri in table().within.get(one.uri, ()):
        return one
    return other if one.uri in table().within.get(other.uri, ()) else None


def find_status(statement: str) -> Status | None:
    """Return the RightsStatements.org status at this address (also its `page/` form, or with a language), or None."""
    folded = fold_address(statement).replace("rightsstatements.org/page/", _STATUSES, 1)
    return table().statuses.get(folded)


def _creative_commons(facts: dict[str, Any]) -> Iterator[Licence]:
    units = {unit["id"]: unit for unit in facts["unit"]}
    clauses = {(row["version"], port): row["clause"] for row in facts["format-change"] for port in row["ports"]}
    for suite in facts["suite"]:
        for unit_id in suite["units"]:
            for port in suite["ports"]:
                version = suite["version"]
                # The clause was read in the NoDerivatives texts; elsewhere adaptation is granted and it is not needed.
                clause = clauses.get((version, port), "") if unit_id in ("by-nd", "by-nc-nd", "by-nd-nc") else ""
                yield _licence(
                    units[unit_id]
                    | {
                        "uri": f"{CREATIVE_COMMONS}{unit_id}/{version}/" + (f"{port}/" if port else ""),
                        "name": f"CC {unit_id.upper()} {version}" + (f" {port.upper()}" if port else ""),
                        "family": f"cc-{unit_id}",
                        "version": version,
                        "jurisdiction": port,
                        "format_change": clause,
                    }
                )


def _licence(row: Mapping[str, Any]) -> Licence:
    return Licence(
        uri=row["uri"],
        name=row["name"],
        family=row["family"],
        version=row["version"],
        jurisdiction=row.get("jurisdiction", ""),
        permits=frozenset(map(Act, row["permits"])),
        requires=frozenset(map(Duty, row.get("requires", []))),
        prohibits=frozenset(map(Act, row.get("prohibits", []))),
        format_change=row.get("format_change", ""),
        review=row.get("review", ""),
    )


def _status(row: Mapping[str, Any]) -> Status:
    assert row["outcome"] in ("hold", "refuse"), f"status {row['id']} has outcome {row['outcome']}"
    return Status(f"http://{_STATUSES}{row['id']}/1.0/", row["name"], row["outcome"] == "refuse", row["reason"], row["question"])
