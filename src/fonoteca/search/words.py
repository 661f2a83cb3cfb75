"""Text to the words that it is found by: the same for what is indexed and for what is asked.

Folding is done here and not by Tantivy's own filters, which know decomposed letters as two words and only Latin letters as
having diacritics. A folded text is words joined by single spaces, so that Tantivy need only split at them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

QUERY_CHARS_MAX = 1_000
"""What is read of a query; the rest of a longer one is left alone, however long it is."""

QUERY_WORDS_MAX = 24

WORD_CHARS_MAX = 64
"""Longer words are cut, in the index as in the query, so that they are still found."""

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ı": "i", "ŧ": "t", "ə": "e"}
)
"""Letters that are written with a stroke or joined, which Unicode does not decompose."""

_MARKS = re.compile("[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u065f\u0670]")
"""Marks that readers leave out when they type: Latin, Greek and Cyrillic diacritics, Hebrew points, Arabic vowels and
tatweel. Marks of other scripts, such as Devanagari vowels and Japanese voicing, are letters and stay."""

_APOSTROPHES = re.compile("['\u2018\u2019\u02bc\u02bb\u00b4`]")

_UNSPACED = re.compile("[\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Scripts that are written without spaces: each Han or kana character is a word, and neighbours are asked as a phrase."""

_PHRASE = re.compile('["\u201c\u201d\u201e\u00ab\u00bb]')


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that follow one another; a single word is a phrase of one. prefix: the last word may only have begun."""

    words: tuple[str, ...]
    prefix: bool = False


def fold(text: str) -> str:
    """Return the words of a text: lower case, without diacritics and punctuation, joined by spaces; "" where it has none.

    Cost: 1 us for short ASCII text, some 10 us for other.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
        text = unicodedata.normalize("NFC", _MARKS.sub("", text).casefold())
        text = _UNSPACED.sub(r" \g<0> ", text)
    words = "".join(c if _is_letter(c) else " " for c in _APOSTROPHES.sub("", text.lower())).split()
    return " ".join(word[:WORD_CHARS_MAX] for word in words)


def _is_letter(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def read_query(text: str) -> tuple[Phrase, ...]:
    """Return what a query asks for: quoted phrases and single words, the last word as a prefix while it is being typed.

    Any text is a query: there is no syntax to get wrong. Empty where it holds no word.
    A last word counts as finished when a space, a quotation mark or punctuation follows it.
    """
    text = text[:QUERY_CHARS_MAX]
    phrases: list[Phrase] = []
    for index, part in enumerate(_PHRASE.split(text)):
        if index % 2:
            words = tuple(fold(part).split())
            phrases += [Phrase(words)] if words else []
        else:
            phrases += [Phrase(words) for word in part.split() if (words := tuple(fold(word).split()))]
    phrases = _bounded(phrases)
    if phrases and _is_letter(text[-1]):
        phrases[-1] = Phrase(phrases[-1].words, prefix=True)
    return tuple(phrases)


def _bounded(phrases: list[Phrase]) -> list[Phrase]:
    kept: list[Phrase] = []
    left = QUERY_WORDS_MAX
    for phrase in phrases:
        words = phrase.words[:left]
        if words:
            kept.append(Phrase(words))
        left -= len(words)
    return kept
