"""Text to the words that it is found by: the same for what is indexed and for what is asked.

Folding is done here and not by Tantivy's own filters, which know decomposed letters as two words and only Latin letters as
having diacritics. A folded text is words joined by single spaces, so that Tantivy need only split at them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

from anyascii import anyascii

WORD_CHARS_MAX = 64
"""Longer words are cut, in the index as in the query, so that they are still found."""

LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ı": "i", "ŧ": "t", "ə": "e"}
)
"""Letters that are written with a stroke or joined, which Unicode does not decompose."""

MARKS = re.compile("[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u065f\u0670]")
"""Marks that readers leave out when they type: Latin, Greek and Cyrillic diacritics, Hebrew points, Arabic vowels and
tatweel. Marks of other scripts, such as Devanagari vowels and Japanese voicing, are letters and stay."""

APOSTROPHES = re.compile("['\u2018\u2019\u02bc\u02bb\u00b4`]")

UNSPACED = re.compile("[\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Scripts that are written without spaces: each Han or kana character is a word, and neighbours are asked as a phrase."""


class _LettersOnly(dict[int, int | None]):
    """A table for `str.translate` that keeps letters, as `is_letter` says, and line ends, and turns the rest into spaces."""

    def __missing__(self, code: int) -> int | None:
        character = chr(code)
        kept = code if is_letter(character) or character == "\n" else ord(" ")
        self[code] = None if APOSTROPHES.match(character) else kept
        return self[code]


LETTERS_ONLY = _LettersOnly()

_KEPT = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789\n")
ASCII_TABLE = bytes(byte if byte in _KEPT else ord(" ") for byte in bytes(range(256)).lower())
ASCII_DROPPED = b"'`"
"""The same for ASCII, as `bytes.translate` takes it."""

SYLLABLES = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]")
"""Han and Hangul characters, of which each is read as a syllable: people write readings apart (`deng li jun`) and together."""

RUNS = re.compile("[\u3040-\u309f]+|[\u30a0-\u30ff]+")
"""Hiragana and katakana: where one of them begins or ends, so does a word, more often than not."""

LONG_VOWEL = "\u30fc"
"""Of kana. Left out of readings, as most do who type them."""


def fold(text: str) -> str:
    """Return the words of a text: lower case, without diacritics and punctuation, joined by spaces; "" where it has none.

    Cost: 1 us for short ASCII text, 5 us for other.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.casefold().translate(LETTERS))
        text = unicodedata.normalize("NFC", MARKS.sub("", text).casefold())
        text = UNSPACED.sub(r" \g<0> ", text)
        words = text.lower().translate(LETTERS_ONLY).split()
    else:
        words = text.encode("ascii").translate(ASCII_TABLE, ASCII_DROPPED).decode("ascii").split()
    return " ".join([word[:WORD_CHARS_MAX] for word in words])


def indexed(text: str) -> str:
    """Return the words that a text is indexed by: those of `fold`, neighbours of unspaced scripts as pairs, and romanised words."""
    folded = fold(text)
    if folded.isascii():
        return folded
    return joined(folded.split(), [word for reading in readings(text) for word in fold(reading).split()])


def readings(text: str) -> Iterator[str]:
    """Yield a text in Latin letters: as it is read, and once more with its syllables apart where it has such."""
    text = RUNS.sub(r" \g<0> ", text.replace(LONG_VOWEL, ""))
    yield anyascii(text)
    apart = SYLLABLES.sub(r" \g<0> ", text)
    if apart != text:
        yield anyascii(apart)


def joined(words: list[str], roman: list[str]) -> str:
    """Return folded words, pairs of neighbours in unspaced scripts, and romanised words as one text, each once."""
    words = [word[:WORD_CHARS_MAX] for word in words]
    pairs = [a + b for a, b in pairwise(words) if UNSPACED.match(a) and UNSPACED.match(b)]
    return " ".join(dict.fromkeys((*words, *pairs, *roman)))


def asked(text: str) -> list[str]:
    """Return the words to ask for: those of `fold`, where neighbours of unspaced scripts are pairs and not one by one."""
    words = fold(text).split()
    if text.isascii():
        return words
    found: list[str] = []
    for place, word in enumerate(words):
        alone = not UNSPACED.match(word)
        after = place + 1 < len(words) and bool(UNSPACED.match(words[place + 1]))
        before = place > 0 and bool(UNSPACED.match(words[place - 1]))
        if not alone and after:
            found.append(word + words[place + 1])
        elif alone or not before:
            found.append(word)
    return found


def is_letter(character: str) -> bool:
    """Return whether a character is of a word: a letter, digit or mark."""
    return character.isalnum() or unicodedata.category(character)[0] == "M"
