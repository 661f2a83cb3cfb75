"""Asking one index: tier after tier, the most heard first, until enough was found. It is read only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tantivy

from fonoteca.model.errors import FormatError, StoreError, UsageError
from fonoteca.search.cards import Card
from fonoteca.search.cursors import Cursor, query_mark, read_cursor
from fonoteca.search.hits import Answer, Facets, Hit, HitKind
from fonoteca.search.licences import LICENCES
from fonoteca.search.manifest import KINDS, WORDS, Manifest, read_manifest
from fonoteca.search.opened import SCHEMA, OpenTier
from fonoteca.search.query import QUERY_CHARS_MAX, Asked, Filters, Phrase, read_query
from fonoteca.search.ranking import Wanted, score
from fonoteca.search.shards import TABLES
from fonoteca.search.vocabulary import Vocabulary

LIMIT_MAX = 1_000

WINDOWS = {HitKind.TRACK: 80, HitKind.ARTIST: 30, HitKind.RELEASE: 30}
"""So many candidates, the most heard that match, are ordered together at a time."""

HEARD_TIERS = 5
"""Those of the 16 million most heard of each kind: misspellings are corrected to their words, and so looked for in them."""

_FUZZY_CHARS_MIN = 4
"""Shorter words have too many neighbours at one typing error."""

_NEAR_WORDS_MAX, _TWICE_WORDS_MAX = 8, 2
"""So many words of a query are taken for others with one error, and with two."""

_PREFIX_CHARS_MIN = 2
"""Of a word alone: one letter is a whole word."""

_NEAR_PREFIX_CHARS_MIN, _FAR_PREFIX_CHARS_MIN = 3, 4
"""Fewer letters begin too many words to be looked for beside whole words, in the first tiers and in the others: what has those
words is taken, the most heard first, and its cards tell, or the index where few words begin so.
"""

_BEGUN_CHARS_MIN, _BEGUN_WORDS_MAX = 4, 300
"""Of words that have begun with so many letters, all that a tier has are asked for one by one: 1 us each, not 1 ms for all."""

CANDIDATES_MAX = 1_500
"""Looked at for one page, of which some may not have a phrase in its order: after so many a page may be short."""

_FACET_MATCHES, _FACET_TIERS = 10_000, 3
_KINDS = (HitKind.TRACK, HitKind.ARTIST, HitKind.RELEASE)
_ENDED = (1 << 30, 0)
"""The place after the last tier."""

_U = tantivy.FieldType.Unsigned
_DECADES = {"years": {"histogram": {"field": "year", "interval": 10, "min_doc_count": 1}}}


@dataclass(frozen=True, slots=True)
class _Pass:
    """One way to ask. lenience: its number, the strictest is 0. heard: only the first tiers are asked."""

    lenience: int
    wanted: Wanted
    heard: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an answer goes on: as in Cursor. offset: -1 when there is no more."""

    windows: tuple[tuple[int, int], ...]
    offset: int


class IndexReader:
    """An open index. It stays readable when its folder is deleted meanwhile; safe for threads."""

    def __init__(self, folder: Path) -> None:
        try:
            self.manifest: Manifest = read_manifest(folder)
        except (FormatError, OSError) as error:
            raise StoreError(str(folder), f"not a search index: {error}", "Build it again: fonoteca catalogue build.") from error
        self._tiers = {
            kind: [OpenTier(folder / name, shards) for name, shards in self.manifest.tiers(kind).items()] for kind in KINDS
        }
        self._vocabulary = Vocabulary(self._tiers[WORDS])

    @property
    def count(self) -> int:
        """The number of tracks, artists and releases."""
        return sum(shard.rows for shard in self.manifest.shards if shard.kind != WORDS)

    def search(self, words: str, limit: int = 20) -> tuple[Hit, ...]:
        """Return the best hits first; see `page`."""
        return self.page(words, limit).hits

    def page(self, words: str, limit: int = 20, after: str = "") -> Answer:
        """Return a page of hits.

        words: as a person types them, see `read_query`. All must be found; where that finds nothing, each word of four letters
            or more outside quotes may have one typing error, then each of five or more two, then one word may be absent.
        Order: the most heard 80 tracks, 30 artists and 30 releases that match, by match times popularity; then the next.
        limit: 1 to LIMIT_MAX. after: the cursor of the page before.
        Raises: UsageError for another limit or a cursor that is not of this query and snapshot; StoreError when the index is
            damaged.
        """
        if not 1 <= limit <= LIMIT_MAX:
            raise UsageError(f"limit {limit}", f"expected 1 to {LIMIT_MAX}", "Ask for fewer hits.")
        mark = query_mark(words)
        asked = read_query(words)
        start = read_cursor(after, self.manifest.snapshot, mark) if after else None
        if not asked.phrases and asked.filters == Filters():
            return Answer((), "")
        for each in self._passes(asked):
            if start is not None and each.lenience != start.lenience:
                continue
            hits, place = self._walk(each, asked.filters, limit, start)
            if hits or start is not None:
                next_page = Cursor(self.manifest.snapshot, mark, each.lenience, place.windows, place.offset)
                more = next_page.write() if place.offset >= 0 else ""
                return Answer(tuple(hits), more)
        return Answer((), "")

    def facets(self, words: str) -> Facets:
        """Return how many match exactly, of the most heard at least 10,000 matches. Cost: some searches of three tiers."""
        asked = read_query(words)
        kinds, decades, licences, held = {}, dict[int, int](), dict[str, int](), {"yes": 0, "no": 0}
        whole = True
        exact = next(iter(self._passes(asked)))
        for kind, table in zip(_KINDS, TABLES, strict=True):
            if asked.filters.kind not in (None, kind) or not (asked.phrases or asked.filters != Filters()):
                continue
            kinds[kind.value] = 0
            for number, tier in enumerate(self._tiers[table.name]):
                if number >= _FACET_TIERS or kinds[kind.value] >= _FACET_MATCHES:
                    whole = False
                    break
                query = _query(exact.wanted, asked.filters, _Begun(tier, tail=False))
                count, found = tier.counted(query, _DECADES)
                kinds[kind.value] += count
                for bucket in (found.get("years") or {}).get("buckets", ()):
                    decades[int(bucket["key"])] = decades.get(int(bucket["key"]), 0) + int(bucket["doc_count"])
                kept = tier.counted(_all_of([query, _range("held", 1, 1)]), {})[0] if count else 0
                held["yes"] += kept
                held["no"] += count - kept
                for code, name in enumerate(LICENCES[1:], 1) if count and kind is HitKind.TRACK else ():
                    if matching := tier.counted(_all_of([query, _range("licence", code, code)]), {})[0]:
                        licences[name] = licences.get(name, 0) + matching
        return Facets(kinds, dict(sorted(decades.items())), licences, held, whole)

    def _passes(self, asked: Asked) -> Iterator[_Pass]:
        """Yield ways to ask from strict to lenient; the first with an answer gives it."""
        yield _Pass(0, Wanted(asked.phrases, {}))
        long = [each for each in asked.phrases if len(each.words) == 1 and len(each.words[0]) >= _FUZZY_CHARS_MIN]
        strange = [each for each in long if not self._vocabulary.has(each.words[0], prefix=each.prefix)]
        once = self._near(strange, 1)
        if once:
            yield _Pass(1, Wanted(asked.phrases, once), heard=True)
        longest = sorted(strange, key=lambda each: -len(each.words[0]))[:_TWICE_WORDS_MAX]
        twice = {**once, **self._near(longest, 2)}
        if twice != once:
            yield _Pass(2, Wanted(asked.phrases, twice), heard=True)
        every = {**self._near(long[:_NEAR_WORDS_MAX], 1), **twice}
        if every != twice:
            yield _Pass(3, Wanted(asked.phrases, every), heard=True)
        if strange and len(asked.phrases) > len(strange):
            yield _Pass(4, Wanted(asked.phrases, {}, frozenset(strange)))
        if len(asked.phrases) > 2:
            yield _Pass(5, Wanted(asked.phrases, every, missing=1), heard=True)

    def _near(self, phrases: Sequence[Phrase], errors: int) -> dict[str, Mapping[str, int]]:
        found = {each.words[0]: self._vocabulary.near(each.words[0], errors, prefix=each.prefix) for each in phrases}
        return {word: near for word, near in found.items() if near}

    def _walk(self, each: _Pass, filters: Filters, limit: int, start: Cursor | None) -> tuple[list[Hit], _Place]:
        """Return hits from a place on, and the place after them."""
        windows = start.windows if start else ((0, 0),) * len(_KINDS)
        offset = start.offset if start else 0
        hits: list[Hit] = []
        looked_at = 0
        ask = _Ask(each.wanted, filters)
        while True:
            found: list[Hit] = []
            further = []
            for kind, table, place in zip(_KINDS, TABLES, windows, strict=True):
                tiers = self._tiers[table.name][: HEARD_TIERS if each.heard else None]
                wanted = filters.kind in (None, kind)
                cards, count, after = _window(tiers if wanted else [], ask, WINDOWS[kind], place)
                further.append(after)
                looked_at += count
                found += [_hit(card, kind, worth) for card in cards if (worth := score(card, kind, each.wanted)) > 0]
            found.sort(key=_order)
            room = limit - len(hits)
            hits += found[offset : offset + room]
            if offset + room < len(found):
                return hits, _Place(windows, offset + room)
            if all(after is None for after in further):
                return hits, _Place((), -1)
            windows, offset = tuple(after or _ENDED for after in further), 0
            if len(hits) >= limit or looked_at >= max(CANDIDATES_MAX, 2 * limit):
                return hits, _Place(windows, 0)


class _Matches:
    """The documents of a tier that a query finds, the most heard first: a few at first, then many at once.

    narrower: finds all of them that can answer, None where only cards tell. first: how many were passed over before.
    """

    def __init__(self, tier: OpenTier, query: tantivy.Query, narrower: tantivy.Query | None, first: int) -> None:
        self._tier, self._query, self._narrower, self._first = tier, query, narrower, first
        self._documents: list[int] = []
        self._answers: frozenset[int] | None = None
        self._ended = False

    def part(self, after: int, size: int) -> tuple[list[int], int]:
        """Return what can answer of the next documents, so many at most, and how many these are."""
        start = after - self._first
        if start + size > len(self._documents) and not self._ended:
            self._read_on(CANDIDATES_MAX if self._documents else size)
        documents = self._documents[start : start + size]
        if self._answers is None:
            return documents, len(documents)
        return [each for each in documents if each in self._answers], len(documents)

    def _read_on(self, count: int) -> None:
        found = self._tier.documents(self._query, count, self._first + len(self._documents))
        self._documents += found
        self._ended = len(found) < count
        if self._narrower is not None:
            # Of the first so many there are no more than so many that answer.
            self._answers = frozenset(self._tier.documents(self._narrower, max(1, self._first + len(self._documents))))


class _Ask:
    """What tiers are asked, and what they found so far."""

    def __init__(self, wanted: Wanted, filters: Filters) -> None:
        self._wanted, self._filters = wanted, filters
        self._begun = next((phrase for phrase in wanted.phrases if phrase.prefix), None)
        self._begun_chars = len(self._begun.words[-1]) if self._begun else QUERY_CHARS_MAX
        self._needed = _needed(wanted)
        self._found: dict[tuple[OpenTier, bool], _Matches] = {}

    def part(self, tier: OpenTier, tail: bool, after: int, size: int) -> tuple[list[int], int]:
        """Return what can answer of the next documents of a tier, so many at most, and how many these are.

        tail: it has few of the answers and most of the words.
        """
        reach = tier.reach(self._needed)
        if not reach:
            return [], 0
        dear = self._begun_chars < (_FAR_PREFIX_CHARS_MIN if tail else _NEAR_PREFIX_CHARS_MIN)
        # Where all that have a whole word fit, whether they have the begun one too is seen in their cards.
        loose = len(self._wanted.phrases) > 1 and (dear or reach <= size)
        found = self._found.get((tier, loose))
        if found is None:
            query = _query(self._wanted, self._filters, None if loose else _Begun(tier, tail))
            narrower = self._narrower(tier, query) if loose and reach > size else None
            found = self._found[tier, loose] = _Matches(tier, query, narrower, after)
        return found.part(after, size)

    def _narrower(self, tier: OpenTier, query: tantivy.Query) -> tantivy.Query | None:
        """Return a query for all of another's documents that have the begun word, None for too many words that begin so."""
        begun, wanted = self._begun, self._wanted
        if begun is None or begun in wanted.optional or wanted.missing:
            return None
        choices = []
        for field in begun.fields:
            there = tier.begun(field, begun.words[-1], _BEGUN_WORDS_MAX)
            if there is None:
                return None
            choices += [_term(field, each) for each in (*there, *wanted.near.get(begun.words[-1], ()))]
        return _all_of([query, _any_of(choices)])


def _window(
    tiers: Sequence[OpenTier], ask: _Ask, size: int, place: tuple[int, int]
) -> tuple[list[Card], int, tuple[int, int] | None]:
    """Return the cards of what can answer of the next candidates of a kind from a place on, so many at most; how many these are;
    and the place after, None at the end.
    """
    cards: list[Card] = []
    count = 0
    number, passed = place
    while number < len(tiers) and count < size:
        room = size - count
        documents, looked_at = ask.part(tiers[number], number >= HEARD_TIERS, passed, room)
        cards += tiers[number].cards(documents)
        count += looked_at
        number, passed = (number, passed + looked_at) if looked_at == room else (number + 1, 0)
    return cards, count, (number, passed) if number < len(tiers) else None


def _hit(card: Card, kind: HitKind, worth: float) -> Hit:
    return Hit(kind, card.id or card.title, card.title, card.artist, card.release, card.held, card.share, worth)


def _order(hit: Hit) -> tuple[float, float, str, str]:
    return -hit.score, -hit.share, hit.kind, hit.id


def _needed(wanted: Wanted) -> list[tuple[str, tuple[str, ...]]]:
    """Return words that all answers have, long ones first, which are rarer, and the fields that may have each."""
    found = [
        (phrase.words[at], phrase.fields)
        for phrase in wanted.phrases
        if phrase not in wanted.optional and not wanted.missing
        for at in range(len(phrase.words) - phrase.prefix)
        if phrase.words[at] not in wanted.near
    ]
    return sorted(found, key=lambda each: -len(each[0]))


@dataclass(frozen=True, slots=True)
class _Begun:
    """How a tier is asked for words that have only begun. tail: it has few of the answers and most of the words."""

    tier: OpenTier
    tail: bool

    def choices(self, field: str, word: str) -> list[tantivy.Query]:
        """Return queries that find what a field has of words that begin so: of few letters in the tail only some."""
        there = self.tier.begun(field, word, _BEGUN_WORDS_MAX) if len(word) >= _BEGUN_CHARS_MIN else None
        if there is not None:
            return [_term(field, each) for each in there]
        if self.tail:
            return [_term(field, word), tantivy.Query.phrase_prefix_query(SCHEMA, field, [word])]
        return [tantivy.Query.regex_query(SCHEMA, field, f"{word}.*")]


def _query(wanted: Wanted, filters: Filters, begun: _Begun | None) -> tantivy.Query:
    """Return what Tantivy is asked: documents that have all words and pass the filters. Order of words is seen in the cards.

    begun: None to ask for the other words alone where there are any.
    """
    needed = [
        _phrase(phrase, wanted, begun)
        for phrase in wanted.phrases
        if not (phrase.prefix and begun is None) and phrase not in wanted.optional
    ]
    if wanted.missing and len(needed) > 1:
        # All but one, whichever: a choice of which is absent.
        needed = [_any_of([_all_of([*needed[:gone], *needed[gone + 1 :]]) for gone in range(len(needed))])]
    if filters.years:
        needed.append(_range("year", *filters.years))
    if filters.licence:
        codes = (1, len(LICENCES) - 1) if filters.licence == "any" else (LICENCES.index(filters.licence),) * 2
        needed.append(_range("licence", *codes))
    if filters.held is not None:
        held = _range("held", 1, 1)
        needed.append(held if filters.held else tantivy.Query.boolean_query([(_ANY, tantivy.Query.all_query()), (_NOT, held)]))
    return _all_of(needed or [tantivy.Query.all_query()])


def _phrase(phrase: Phrase, wanted: Wanted, begun: _Begun | None) -> tantivy.Query:
    parts = []
    for place, word in enumerate(phrase.words):
        last = phrase.prefix and place == len(phrase.words) - 1 and len(word) >= _PREFIX_CHARS_MIN
        near = wanted.near.get(word, {}) if len(phrase.words) == 1 else {}
        choices = []
        for field in phrase.fields:
            choices += begun.choices(field, word) if begun and last else [_term(field, word)]
            choices += [_term(field, each) for each in near]
        parts.append(_any_of(choices))
    return _all_of(parts)


def _term(field: str, word: str) -> tantivy.Query:
    return tantivy.Query.term_query(SCHEMA, field, word, index_option="basic")


def _range(field: str, first: int, last: int) -> tantivy.Query:
    return tantivy.Query.range_query(SCHEMA, field, _U, first, last)


_ANY, _MUST, _NOT = tantivy.Occur.Should, tantivy.Occur.Must, tantivy.Occur.MustNot


def _all_of(needed: Sequence[tantivy.Query]) -> tantivy.Query:
    return needed[0] if len(needed) == 1 else tantivy.Query.boolean_query([(_MUST, query) for query in needed])


def _any_of(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    if not queries:
        return tantivy.Query.empty_query()
    return queries[0] if len(queries) == 1 else tantivy.Query.boolean_query([(_ANY, query) for query in queries])
