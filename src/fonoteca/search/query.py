"""What a person types, read: words, phrases and filters. Any text is a query; there is no syntax to get wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fonoteca.search.hits import HitKind
from fonoteca.search.licences import LICENCES
from fonoteca.search.shards import TEXT_FIELDS, YEAR_MAX, YEAR_MIN
from fonoteca.search.words import asked, is_letter

QUERY_CHARS_MAX = 1_000
"""Longer than any title and artist together; the rest of a longer one is left alone, however long it is."""

QUERY_WORDS_MAX = 24
NAME_BEGUN_CHARS_MAX = 3
"""So few Latin letters begin a hundred thousand words of a million recordings."""

_QUOTES = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'))
_PART = re.compile(r'(?:(?P<name>[a-z]+):)?(?:"(?P<quoted>[^"]*)(?:"|$)|(?P<plain>[^\s"]+))', re.IGNORECASE)
_YEARS = re.compile(r"(?P<first>[0-9]{1,4})?(?P<range>\.\.)?(?P<last>[0-9]{1,4})?")
_ISRC = re.compile(r"[a-z]{2}-?[a-z0-9]{3}-?[0-9]{2}-?[0-9]{5}", re.ASCII)
_FIELDS = {**{name: name for name in TEXT_FIELDS}, "album": "release", "track": "title", "song": "title"}
_TRUTHS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that follow one another; a single word is a phrase of one. prefix: the last word may only have begun.

    fields: where it is looked for.
    """

    words: tuple[str, ...]
    prefix: bool = False
    fields: tuple[str, ...] = TEXT_FIELDS


@dataclass(frozen=True, slots=True)
class Filters:
    """What hits must be; None and "" for anything. years: first and last, both included. isrc: in capitals, without hyphens."""

    kind: HitKind | None = None
    years: tuple[int, int] | None = None
    licence: str = ""
    held: bool | None = None
    isrc: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query. phrases: all must be found."""

    phrases: tuple[Phrase, ...]
    filters: Filters = Filters()

    @property
    def words(self) -> list[str]:
        """All words in order."""
        return [word for phrase in self.phrases for word in phrase.words]


def read_query(text: str) -> Asked:
    """Return what a query asks for: quoted phrases, single words, filters; the last word is a prefix while it is being typed.

    A filter that is not known, or has a value that it cannot have, is words. A last word counts as finished when a space, a
    quotation mark or punctuation follows it.
    """
    text = text[:QUERY_CHARS_MAX].translate(_QUOTES)
    phrases: list[Phrase] = []
    filters: dict[str, object] = {}
    for part in _PART.finditer(text):
        name = (part["name"] or "").lower()
        value = part["quoted"] if part["quoted"] is not None else part["plain"]
        known = _filter(name, value)
        if known is not None:
            filters |= known
        else:
            phrases += _phrases(part, name, value)
    phrases = _bounded(phrases)
    if phrases and is_letter(text[-1]):
        phrases[-1] = _begun(phrases[-1], alone=len(phrases) == 1)
    return Asked(tuple(phrases), Filters(**filters))  # type: ignore[arg-type]


def _begun(phrase: Phrase, *, alone: bool) -> Phrase:
    """Return a phrase whose last word may only have begun: a few letters alone begin a name, and not a word of another field."""
    word = phrase.words[-1]
    few = alone and len(phrase.words) == 1 and len(word) <= NAME_BEGUN_CHARS_MAX and word.isascii()
    few = few and phrase.fields == TEXT_FIELDS
    return Phrase(phrase.words, True, ("title",) if few else phrase.fields)


def _phrases(part: re.Match[str], name: str, value: str) -> Iterator[Phrase]:
    """Yield the words of a part: a quoted one is one phrase, another as many as it has words that belong apart."""
    fields = (_FIELDS[name],) if name in _FIELDS else TEXT_FIELDS
    words = asked(value if name in _FIELDS or not name else f"{part['name']} {value}")
    if part["quoted"] is not None:
        if words:
            yield Phrase(tuple(words), False, fields)
        return
    for word in words:
        yield Phrase((word,), False, fields)


def _filter(name: str, value: str) -> dict[str, object] | None:
    """Return what a filter wants, None when it is none."""
    value = value.lower()
    if name == "kind" and value in set(HitKind):
        return {"kind": HitKind(value)}
    if name == "held" and value in _TRUTHS:
        return {"held": _TRUTHS[value]}
    if name in ("licence", "license") and value in (*LICENCES[1:], "any"):
        return {"licence": value}
    if name == "isrc" and _ISRC.fullmatch(value):
        return {"isrc": value.replace("-", "").upper()}
    match = _YEARS.fullmatch(value) if name == "year" else None
    if match is None or not (match["first"] or match["last"]):
        return None
    first = int(match["first"] or YEAR_MIN)
    last = int(match["last"] or (YEAR_MAX if match["range"] else first))
    return {"years": (first, last)}


def _bounded(phrases: list[Phrase]) -> list[Phrase]:
    kept: list[Phrase] = []
    left = QUERY_WORDS_MAX
    for phrase in phrases:
        words = phrase.words[:left]
        if words:
            kept.append(Phrase(words, False, phrase.fields))
        left -= len(words)
    return kept
