"""Match keys: what is left of a title or a credit when two ways to write it shall be one. Pure; columns in, columns out.

Words are for scores and for people who debug; keys are 64-bit hashes of words and live only within one build or match, since
DuckDB promises its hash for no longer than a version.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fonoteca.catalogue.duck import DuckSettings, open_duck
from fonoteca.catalogue.folding import Table, fold

_LOST_MARKS = (
    r"\x{300}-\x{36F}\x{483}-\x{487}\x{1AB0}-\x{1AFF}\x{1DC0}-\x{1DFF}\x{20D0}-\x{20FF}\x{FE20}-\x{FE2F}"  # Latin, Greek, Cyrillic
    r"\x{591}-\x{5BD}\x{5BF}\x{5C1}\x{5C2}\x{5C4}\x{5C5}\x{5C7}"  # Hebrew points
    r"\x{610}-\x{61A}\x{640}\x{64B}-\x{65F}\x{670}\x{6D6}-\x{6DC}\x{6DF}-\x{6E4}\x{6E7}\x{6E8}\x{6EA}-\x{6ED}"  # Arabic
    r"\x{711}\x{730}-\x{74A}"  # Syriac
)
"""Marks that the same text is written with and without. All others carry the word: Japanese dakuten, Indic and Thai vowels."""

_ONE_LETTER = (
    ("ß", "ss"),
    ("ς", "σ"),
    ("ı", "i"),
    ("ø", "o"),
    ("ł", "l"),
    ("đ", "d"),
    ("æ", "ae"),
    ("œ", "oe"),
    ("ð", "d"),
    ("þ", "th"),
)
"""What Unicode does not take apart and people do. Case folding gives the first two; ı is what Turkish lower case leaves of I."""

_LOST_INSIDE = r"['’‘ʼʻ`´.·]+"
"""Signs within a word, which leave no gap: don't and dont, R.E.M. and REM."""
_GAPS = r"[\p{Z}\p{P}\p{S}\p{C}]+"
_GUESTS = (
    r"(?i)[(\[{（【]\s*(?:feat|ft|featuring)(?:[.:]|\s)[^)\]}）】]*[)\]}）】]?"
    r"|\s(?:-\s*)?(?:feat|ft|featuring)(?:[.:]\s*|\s)[^(\[{（【]*"
)
"""A guest in brackets, or to the end of the text or a bracket."""
_GUEST_WORD = r"(?:^| )(?:feat|ft|featuring)(?: |$)"
"""A word that may begin a guest: rows without it need no look at their brackets."""
_ARTICLE_BEHIND = r"(?i),\s*the\s*$"
_SLICE_ROWS = 1 << 16
"""Rows at a time: their characters stay in a core's cache, which makes longer columns twice as fast."""


def title_words(titles: pa.Array) -> pa.Array:
    """Return the words of each title, one blank between: case, accents, punctuation and "feat. X" do not count.

    Letters and digits of every script stay. A title of signs alone ("!!!") keeps its signs. null counts as "".
    Cost: 0.25 us a title of 16 ASCII characters, twice that for other scripts, on one core; mostly without the GIL.
    """
    return _sliced(titles, _titles)


def artist_words(artists: pa.Array) -> pa.Array:
    """Return the words of each credit, as `title_words` does: guests ("A feat. B") are left out, since titles and credits name them
    by turns, and so are "and" and a leading "the". The order of artists stays.
    """
    return _sliced(artists, _credits)


def _sliced(texts: pa.Array, words: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return the words of a column, made of a slice at a time."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if texts.null_count:
        texts = pc.fill_null(texts, "")
    if len(texts) <= _SLICE_ROWS:
        return words(texts)
    return pa.concat_arrays([words(texts.slice(begin, _SLICE_ROWS)) for begin in range(0, len(texts), _SLICE_ROWS)])


def _titles(texts: pa.Array) -> pa.Array:
    words = _words(texts)
    return _without(_GUESTS, pc.match_substring_regex(words, _GUEST_WORD), texts, words)


def _credits(texts: pa.Array) -> pa.Array:
    words = _titles(texts)
    words = _without(_ARTICLE_BEHIND, pc.ends_with(words, " the"), texts, words)
    joined = pc.match_substring(words, " and ")
    if joined.true_count:
        words = pc.replace_with_mask(words, joined, pc.replace_substring(words.filter(joined), " and ", " "))
    led = pc.starts_with(words, "the ")
    if led.true_count:
        words = pc.replace_with_mask(words, led, pc.utf8_slice_codeunits(words.filter(led), 4))
    return words


def _without(pattern: str, suspects: pa.Array, texts: pa.Array, words: pa.Array) -> pa.Array:
    """Return the words without what a pattern matches in the texts; a text that is nothing else keeps its words."""
    if not suspects.true_count:
        return words
    cut = _words(pc.replace_substring_regex(texts.filter(suspects), pattern, " "))
    return pc.replace_with_mask(words, suspects, pc.if_else(pc.equal(cut, ""), words.filter(suspects), cut))


def _words(texts: pa.Array) -> pa.Array:
    """Return the words of each text: by table, and of rows that a table cannot do by rule."""
    words, odd = fold(texts, _table())
    if not odd.any():
        return words
    mask = pa.array(odd)
    return pc.replace_with_mask(words, mask, _words_by_rule(texts.filter(mask)))


@cache
def _table() -> Table:
    return Table.of(_words_by_rule)


def _words_by_rule(texts: pa.Array) -> pa.Array:
    folded = _folded(texts)
    joined = pc.replace_substring(folded, "&", " and ")
    words = pc.utf8_trim(pc.replace_substring_regex(pc.replace_substring_regex(joined, _LOST_INSIDE, ""), _GAPS, " "), " ")
    bare = pc.equal(words, "")
    if not bare.true_count:
        return words
    return pc.replace_with_mask(words, bare, pc.replace_substring_regex(folded.filter(bare), r"[\p{Z}\p{C}]+", ""))


def key64(*words: pa.Array) -> npt.NDArray[np.uint64]:
    """Return one 64-bit key a row of the columns of words together; blanks do not count, so "night fall" is "nightfall".

    Of n different texts, n^2 / 2^65 pairs share a key by chance: 256 million have two such pairs in 1,000 builds.
    """
    terms = ", ".join(f"replace(w{n}, ' ', '')" for n in range(len(words)))
    table = pa.table(list(words), names=[f"w{n}" for n in range(len(words))])
    with _duck().cursor() as cursor:
        cursor.register("texts", table)
        found = cursor.execute(f"SELECT hash({terms}) AS key FROM texts").fetchnumpy()["key"]
    return np.ascontiguousarray(found, dtype=np.uint64)


@cache
def _duck() -> duckdb.DuckDBPyConnection:
    """Return a database with nothing in it, for its hash. One thread: who has many columns to hash has threads of their own."""
    return open_duck(DuckSettings(threads=1), None)


def _folded(texts: pa.Array) -> pa.Array:
    """Return the texts in lower case and without accents."""
    ascii_only = pc.string_is_ascii(texts)
    lower = pc.ascii_lower(texts)
    if pc.all(ascii_only).as_py():
        return lower
    rich = pc.utf8_normalize(texts.filter(pc.invert(ascii_only)), "NFKD")
    rich = pc.replace_substring_regex(pc.utf8_lower(rich), f"[{_LOST_MARKS}]+", "")
    for letter, plain in _ONE_LETTER:
        if pc.any(pc.match_substring(rich, letter)).as_py():
            rich = pc.replace_substring(rich, letter, plain)
    # Hangul came apart into jamo, and Japanese into letter and dakuten: put together what belongs together.
    return pc.replace_with_mask(lower, pc.invert(ascii_only), pc.utf8_normalize(rich, "NFC"))
