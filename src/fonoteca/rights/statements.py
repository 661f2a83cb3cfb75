"""Reading a statement about rights: which licences it offers. What is not certain is not read, never guessed.

An answer is a tuple of options. One licence is one option; `GPL-2+ or CC-BY-SA-3.0` is two, since the licensee may choose;
`A and B` is one option that stands for both. Nothing is the answer for whatever a person has to look at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import product

from fonoteca.model.rights import Act, Licence, Scheme
from fonoteca.rights.table import AND, CREATIVE_COMMONS, OWN_WORK_URI, fold_address, fold_name, licence_named, table, together

STATEMENT_CHARS_MAX = 2000
"""No licence name, address or tag with a licence is longer; whole licence texts are for a person."""

_OPTIONS_MAX = 16
"""Of one expression; `(A or B) and (C or D) and ...` multiplies."""

_BRACKETS_MAX = 8
"""Of one expression. Real ones have one or two pairs; thousands would only exhaust the stack."""

_URL = re.compile(r"(?:https?://|www\.|\bcreativecommons\.org/)[^\s<>\"'|]+", re.IGNORECASE)
_URL_END = ".,;:!?)]}"

_CC_DOCUMENT = re.compile(r"(creativecommons\.org/.+)/(?:(?:deed|legalcode)(?:[._-][a-z_-]{2,10})?|rdf)")
"""A licence's address followed by one of its pages: `deed.pt_BR`, `legalcode`."""

_CC_PATH = re.compile(r"creativecommons\.org/licenses/(?P<unit>[a-z+-]+)/(?P<version>\d\.\d)(?:/(?P<port>[a-z]{2,8}))?")

_CC_NAME = re.compile(
    r"(?:cc-)?(?P<unit>(?:by|nc|nd|sa)(?:-(?:by|nc|nd|sa)){0,3})-v?(?P<version>\d\.\d)"
    r"(?:-(?P<port>unported|generic|international|int|[a-z]{2,8}))?"
)
_NO_PORT = {"unported": "3.0", "generic": "1.0 2.0 2.5", "international": "4.0", "int": "4.0"}

_WORDS = (  # names of licence elements as deeds have spelled them, folded, longest first
    ("attribution", "by"),
    ("no-derivative-works", "nd"),
    ("no-derivatives", "nd"),
    ("no-derivs", "nd"),
    ("noderivatives", "nd"),
    ("noderivs", "nd"),
    ("non-commercial", "nc"),
    ("noncommercial", "nc"),
    ("share-alike", "sa"),
    ("sharealike", "sa"),
)

_GNU_NAME = re.compile(
    r"(?:gnu-)?(?P<family>lgpl|agpl|gpl|gfdl|fdl)(?:-niv|-no-invariants|(?<=gpl)-license)?"
    r"-?(?:v|version-)?(?P<version>\d(?:\.\d)?)?(?:\.0)?(?:-no-invariants)?(?P<later>-?\+|-or-(?:any-)?later(?:-version)?|-only)?"
)
_GNU_TITLES = (
    ("gnu-lesser-general-public-license", "lgpl"),
    ("gnu-library-general-public-license", "lgpl"),
    ("gnu-affero-general-public-license", "agpl"),
    ("gnu-general-public-license", "gpl"),
    ("gnu-free-documentation-license", "gfdl"),
)
# Without a version the recipient may choose any that the FSF has published: GPL-2 section 9, LGPL-2 section 13,
# AGPL-3 section 14, GFDL-1.1 section 10.
_GNU_FIRST = {"gpl": "1.0", "lgpl": "2.0", "agpl": "3.0", "gfdl": "1.1"}

_TURNS_ROUND = re.compile(
    r"\b(?:not|except|excluding|unless|without|only|all\s+rights\s+reserved|personal|private|promo(?:tion(?:al)?)?"
    r"|prohibit(?:s|ed)?|forbid(?:s|den)?|permission)\b",
    re.IGNORECASE,
)
_LIMITS = (  # words beside an address that would contradict a licence which grants the act
    (re.compile(r"\bnc\b|non-?\s?commercial", re.IGNORECASE), Act.COMMERCIAL),
    (re.compile(r"\bnd\b|no-?\s?deriv", re.IGNORECASE), Act.DERIVE),
)
_SPEAKS_OF_LICENCE = re.compile(
    r"licen[cs]|creative|commons|\bcc\b|\bcc-|gpl|left|public\s+domain|reserved|permi|commercial|free|share|copying", re.IGNORECASE
)
_VERIFY_AT = re.compile(r"\bverify\s+at\s+\S+", re.IGNORECASE)


def find_licence(statement: str, scheme: Scheme) -> Licence | None:
    """Return the licence that the statement names, or None where it names none, or more than one that is not a choice.

    Of a choice (`GPL-2+ or CC-BY-SA-3.0`) the one that grants most; of `A and B` one licence that stands for both.
    """
    options = read_options(statement, scheme)
    return best(options) if options else None


def read_options(statement: str, scheme: Scheme) -> tuple[Licence, ...]:
    """Return the licences that the statement lets a licensee choose from, in the order of the statement; () if it is not certain.

    Free text and a declaration by the owner are never read as a licence; an owner who licenses their work gives its address.
    """
    reader = _READERS.get(scheme)
    text = statement.strip().strip("<>").strip()
    if reader is None or not text or len(text) > STATEMENT_CHARS_MAX:
        return ()
    return tuple({licence.uri: licence for licence in reader(text)}.values())


def best(options: tuple[Licence, ...]) -> Licence:
    """Return the option that grants most: without review, most acts, freest format, fewest duties; then the first named."""

    def worth(licence: Licence) -> tuple[bool, int, bool, int]:
        free_format = Act.DERIVE in licence.permits or licence.format_change != ""
        return (licence.review == "", len(licence.permits), free_format, -len(licence.requires))

    return max(options, key=worth)


def mentions_licence(text: str) -> bool:
    """Return whether a tag's text may be speaking of a licence. `2004 A. Name` does not, so it cannot contradict one."""
    return _URL.search(text) is not None or _SPEAKS_OF_LICENCE.search(text) is not None


def _at_address(text: str) -> tuple[Licence, ...]:
    if any(c.isspace() for c in text):
        return ()
    folded = fold_address(text)
    document = _CC_DOCUMENT.fullmatch(folded)
    folded = document[1] if document else folded
    cc = _CC_PATH.fullmatch(folded)
    if cc is not None:
        return _creative_commons(cc["unit"], cc["version"], cc["port"] or "")
    uri = table().addresses.get(folded, "")
    return (table().licences[uri],) if uri and uri != OWN_WORK_URI else ()


def _decided(text: str) -> tuple[Licence, ...]:
    """Return the licence that a person settled on: an address, or canonical ones joined by ` AND `."""
    several = licence_named(text) if AND in text else None
    return (several,) if several is not None and OWN_WORK_URI not in text else _at_address(text)


def _creative_commons(unit: str, version: str, port: str) -> tuple[Licence, ...]:
    """Return the row, also where the elements are in the order of another version (`by-nd-nc` is 1.0's `by-nc-nd`)."""
    tail = f"/{version}/" + (f"{port}/" if port else "")
    for spelling in (unit, *_SAME_ELEMENTS.get(frozenset(unit.split("-")), ())):
        licence = table().licences.get(f"{CREATIVE_COMMONS}{spelling}{tail}")
        if licence is not None:
            return (licence,)
    return ()


_SAME_ELEMENTS: Mapping[frozenset[str], tuple[str, ...]] = {
    frozenset({"by", "nc", "nd"}): ("by-nc-nd", "by-nd-nc"),
    frozenset({"by", "nc", "sa"}): ("by-nc-sa",),
    frozenset({"nc", "nd"}): ("nd-nc",),
}


def _named(text: str) -> tuple[Licence, ...]:
    """Return the licence with this short name: SPDX, DEP-5, or as Creative Commons and GNU write their titles."""
    name = fold_name(text)
    uri = table().names.get(name, "")
    if uri:
        return (table().licences[uri],)
    return _cc_named(name) or _gnu_named(name)


def _cc_named(name: str) -> tuple[Licence, ...]:
    plain = name.removeprefix("creative-commons-").removesuffix("-license").removesuffix("-licence")
    for word, element in _WORDS:
        plain = plain.replace(word, element)
    found = _CC_NAME.fullmatch(plain)
    if found is None or not (name.startswith(("cc-", "creative-commons-")) or "by" in found["unit"].split("-")):
        return ()
    port = found["port"] or ""
    if port in _NO_PORT:
        return _creative_commons(found["unit"], found["version"], "") if found["version"] in _NO_PORT[port].split() else ()
    return _creative_commons(found["unit"], found["version"], port)


def _gnu_named(name: str) -> tuple[Licence, ...]:
    for title, short in _GNU_TITLES:
        name = name.replace(title, short)
    found = _GNU_NAME.fullmatch(name)
    if found is None:
        return ()
    family = "gfdl" if found["family"] == "fdl" else found["family"]
    later = found["later"] or ""
    version = found["version"]
    if version is None:
        return () if later else _row(f"{family}-{_GNU_FIRST[family]}-or-later")
    full = version if "." in version else f"{version}.0"
    return _row(f"{family}-{full}-{'only' if later in ('', '-only') else 'or-later'}")


def _row(name: str) -> tuple[Licence, ...]:
    uri = table().names.get(fold_name(name))
    return (table().licences[uri],) if uri else ()


def _tagged(text: str) -> tuple[Licence, ...]:
    """Return what a tag says: a short name alone, or a text with exactly one address and nothing that contradicts it."""
    if _TURNS_ROUND.search(text):
        return ()
    # Creative Commons' own form for tags: "2005 A. Name. Licensed to the public under URL verify at URL".
    plain = _VERIFY_AT.sub("", text)
    urls = {url.rstrip(_URL_END) for url in _URL.findall(plain)}
    if not urls:
        return _named(text.strip(" .()[]"))
    offered = _at_address(urls.pop()) if len({fold_address(url) for url in urls}) == 1 else ()
    beside = _URL.sub("", plain).strip(" .:,;()[]/-")
    named = _named(beside)
    limited = any(words.search(beside) and act in licence.permits for words, act in _LIMITS for licence in offered)
    return () if limited or (named and named != offered) else offered


def _expression(name_of: Callable[[str], tuple[Licence, ...]]) -> Callable[[str], tuple[Licence, ...]]:
    """Return a reader of `A or B`, `A and B`, brackets, and DEP-5's comma, after which a conjunction binds last."""

    def alternatives(text: str) -> tuple[Licence, ...]:
        if text.count("(") > _BRACKETS_MAX:
            return ()
        for word, join in _CONJUNCTIONS:
            parts = _split(text, word)
            if len(parts) > 1:
                return join([alternatives(part) for part in parts])
        inner = text.strip()
        if inner.startswith("(") and inner.endswith(")"):
            return alternatives(inner[1:-1])
        return name_of(inner)

    return alternatives


def _any_of(parts: list[tuple[Licence, ...]]) -> tuple[Licence, ...]:
    """Return the options of all parts. One unknown alternative spoils no choice: the licensee need not take it."""
    return tuple(licence for part in parts for licence in part)


def _all_of(parts: list[tuple[Licence, ...]]) -> tuple[Licence, ...]:
    """Return an option for each way to obey all parts; none if one part is not known."""
    count = 1
    for part in parts:
        count *= len(part)
    return tuple(together(list(choice)) for choice in product(*parts)) if count <= _OPTIONS_MAX else ()


# In order of binding, loosest first. DEP-5, "License specification", "Syntax": and has priority over or, a comma before turns that.
_CONJUNCTIONS: tuple[tuple[str, Callable[[list[tuple[Licence, ...]]], tuple[Licence, ...]]], ...] = (
    (", or ", _any_of),
    (", and ", _all_of),
    (" or ", _any_of),
    (" and ", _all_of),
)


def _split(text: str, word: str) -> list[str]:
    """Return the parts of the text between a word, in any case, outside brackets; `or later` is no alternative."""
    parts, depth, start, index = [], 0, 0, 0
    folded = text.lower() if text.isascii() else text  # folding other letters may change the length, and no name has them
    while index < len(text):
        depth += (text[index] == "(") - (text[index] == ")")
        if depth == 0 and folded.startswith(word, index) and not folded.startswith(("later", "any later"), index + len(word)):
            parts.append(text[start:index])
            start = index + len(word)
            index = start
            continue
        index += 1
    return [*parts, text[start:]]


def _dep5_name(text: str) -> tuple[Licence, ...]:
    """Return the licence of one DEP-5 short name. `X+` offers X where the table has no row for `X or later`."""
    found = _named(text)
    return found or (_named(text.removesuffix("+")) if text.endswith("+") else ())


_READERS: Mapping[Scheme, Callable[[str], tuple[Licence, ...]]] = {
    Scheme.LICENCE_URI: _at_address,
    Scheme.RIGHTS_STATEMENT: _at_address,  # catalogues put licences of Creative Commons in the same field
    Scheme.OWNER: _at_address,
    Scheme.DECISION: _decided,
    Scheme.SPDX: _expression(_named),
    Scheme.DEP5: _expression(_dep5_name),
    Scheme.TAG: _tagged,
}
