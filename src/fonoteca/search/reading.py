"""Asking one index. It is read only, and may be the one that came with a drop."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import tantivy

from fonoteca.model.errors import StoreError, UsageError
from fonoteca.search.hits import Hit, HitKind
from fonoteca.search.indexing import Entry, wrapped
from fonoteca.search.words import Phrase, fold, read_query

LIMIT_MAX = 1_000

_SPARE_HITS = 50
"""Hits asked for beyond the limit, so that entries of equal score can be put in order of rank."""

_NAME_BOOST = 1.0
_NAME_PHRASE_BOOST = 2.0
_WHOLE_NAME_BOOST = 6.0

_FUZZY_CHARS_MIN = 4
"""Shorter words have too many neighbours at one typing error."""

_TWICE_FUZZY_CHARS_MIN = 5
"""Of words that may have two. With them 82 % of 400 titles and artists with two errors came first, and not 63 %."""


class IndexReader:
    """An open index. It stays readable when its folder is deleted meanwhile; safe for threads."""

    def __init__(self, folder: Path) -> None:
        self._subject = str(folder)
        with wrapped(self._subject):
            index = tantivy.Index.open(str(folder))
            self._schema = index.schema
            self._searcher = index.searcher()

    @property
    def count(self) -> int:
        """The number of documents."""
        return self._searcher.num_docs

    def reaches(self, counts: Sequence[int]) -> bool:
        """Return whether the last document of each segment is there, in a list of how many each is said to have."""
        try:
            with wrapped(self._subject):
                return all(self._searcher.doc(tantivy.DocAddress(place, count - 1)) for place, count in enumerate(counts))
        except StoreError:
            return False

    def search(self, words: str, limit: int = 20) -> tuple[Hit, ...]:
        """Return the best hits first: match times popularity, then rank, kind and id.

        words: as a person types them. All must be found; `"quoted words"` together; the last one may only have begun. Where
            that finds nothing, each word of four letters or more outside quotes may have one typing error, and where that finds
            nothing either, each of five or more two. Any text is allowed; no words, no hits.
        limit: 1 to LIMIT_MAX.
        Raises: UsageError for another limit, StoreError when the index is damaged.
        """
        if not 1 <= limit <= LIMIT_MAX:
            raise UsageError(f"limit {limit}", f"expected 1 to {LIMIT_MAX}", "Ask for fewer hits.")
        phrases = read_query(words)
        if not phrases:
            return ()
        with wrapped(self._subject):
            for query in self._queries(phrases, fold(words)):
                hits = self._ask(query, limit)
                if hits:
                    return hits
        return ()

    def _queries(self, phrases: tuple[Phrase, ...], whole: str) -> Iterator[tantivy.Query]:
        """Yield queries from strict to lenient; the first with an answer gives it."""
        wishes = list(self._wishes(phrases, whole))
        yield _all_of([self._exactly(phrase) for phrase in phrases], wishes)
        for errors, characters_min in ((1, _FUZZY_CHARS_MIN), (2, _TWICE_FUZZY_CHARS_MIN)):
            if any(len(phrase.words) == 1 and len(phrase.words[0]) >= characters_min for phrase in phrases):
                yield _all_of([self._nearly(phrase, errors) for phrase in phrases], wishes)

    def _exactly(self, phrase: Phrase) -> tantivy.Query:
        """Return the query for a phrase in any field."""
        words = list(phrase.words)
        if not phrase.prefix:
            return self._phrase("words", words)
        # Whole words first: "art" finds "Art" before "Artist". A prefix alone scores the same everywhere.
        begun = (
            tantivy.Query.fuzzy_term_query(self._schema, "words", words[0], distance=0, prefix=True)
            if len(words) == 1
            else tantivy.Query.phrase_prefix_query(self._schema, "words", list(words))
        )
        return _any_of([self._phrase("words", words), begun])

    def _nearly(self, phrase: Phrase, errors: int) -> tantivy.Query:
        """Return the query for a word with so many typing errors at most, 1 or 2; short words and phrases are taken as they are."""
        word = phrase.words[0]
        if len(phrase.words) > 1 or len(word) < _FUZZY_CHARS_MIN:
            return self._exactly(phrase)
        distance = errors if len(word) >= _TWICE_FUZZY_CHARS_MIN else 1
        near = tantivy.Query.fuzzy_term_query(self._schema, "words", word, distance=distance, prefix=phrase.prefix)
        return _any_of([self._phrase("words", [word]), near])

    def _wishes(self, phrases: tuple[Phrase, ...], whole: str) -> Iterator[tantivy.Query]:
        """Yield what makes a match better: words in the name, all together there, the name and nothing else."""
        words = [word for phrase in phrases for word in phrase.words]
        for word in dict.fromkeys(words):
            yield _boosted(self._phrase("name", [word]), _NAME_BOOST)
        if len(words) > 1:
            yield _boosted(self._phrase("name", words), _NAME_PHRASE_BOOST)
        exact = tantivy.Query.term_query(self._schema, "whole", whole)
        yield _boosted(exact, _WHOLE_NAME_BOOST)

    def _phrase(self, field: str, words: list[str]) -> tantivy.Query:
        # A phrase of one word makes Tantivy panic.
        if len(words) == 1:
            return tantivy.Query.term_query(self._schema, field, words[0])
        return tantivy.Query.phrase_query(self._schema, field, list(words))

    def _ask(self, query: tantivy.Query, limit: int) -> tuple[Hit, ...]:
        found = self._searcher.search(query, limit + _SPARE_HITS, count=False, weight_by_field="weight").hits
        ranked = sorted(((score, self._entry(address)) for score, address in found), key=_order)
        return tuple(
            Hit(entry.kind, entry.id, entry.title, entry.artist, entry.release, entry.held, entry.share, score)
            for score, entry in ranked[:limit]
        )

    def _entry(self, address: tantivy.DocAddress) -> Entry:
        try:
            entry = Entry(*json.loads(self._searcher.doc(address)["entry"][0]))
            return _checked(entry)
        except (IndexError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"an entry that is not as this version writes it: {error!r}") from error


def _checked(entry: Entry) -> Entry:
    """Return an entry with what an entry has: another archive may have written it. Raises: ValueError."""
    texts = (entry.id, entry.title, entry.artist, entry.release)
    share = entry.share
    sound = all(isinstance(text, str) for text in texts) and type(entry.rank) is int and type(entry.held) is bool
    if not sound or type(share) not in (int, float) or not 0 <= share < math.inf:
        raise ValueError("an entry that is not as this version writes it")
    for text in texts:
        text.encode()  # a lone surrogate can be shown to nobody
    entry.kind = HitKind(entry.kind)
    return entry


def _order(found: tuple[float, Entry]) -> tuple[float, int, str, str]:
    score, entry = found
    return -score, entry.rank, entry.kind, entry.id


def _all_of(needed: list[tantivy.Query], wishes: list[tantivy.Query]) -> tantivy.Query:
    parts = [(tantivy.Occur.Must, query) for query in needed] + [(tantivy.Occur.Should, query) for query in wishes]
    return tantivy.Query.boolean_query(parts)


def _any_of(queries: list[tantivy.Query]) -> tantivy.Query:
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])


def _boosted(query: tantivy.Query, boost: float) -> tantivy.Query:
    return tantivy.Query.boost_query(query, boost)
