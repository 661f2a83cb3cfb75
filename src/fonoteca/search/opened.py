"""One open tier: which of its documents match, the most heard first, and their cards."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import tantivy

from fonoteca.model.errors import StoreError
from fonoteca.search.canonical import shard_files
from fonoteca.search.cards import BLOCK_ROWS, Card, Cards
from fonoteca.search.manifest import ShardOf
from fonoteca.search.shards import CARDS, make_schema, wrapped

SCHEMA = make_schema()


class OpenTier:
    """A tier. shards: what is in it, in order. A document's number counts from the first shard's first. Safe for threads."""

    def __init__(self, folder: Path, shards: Sequence[ShardOf]) -> None:
        self.name = folder.name
        self._firsts = [0, *accumulate(shard.rows for shard in shards)]
        with wrapped(str(folder)):
            self._searcher = tantivy.Index.open(str(folder)).searcher()
        if self._searcher.num_docs != self._firsts[-1]:
            raise StoreError(
                str(folder), f"has {self._searcher.num_docs} documents, not {self._firsts[-1]}", "Build the index again."
            )
        self._cards = [Cards(folder / shard_files(shard.number)[CARDS]) for shard in shards]

    def documents(self, query: tantivy.Query, limit: int, after: int = 0) -> list[int]:
        """Return the first documents that match, in ascending order, so many at most, after passing over `after` of them."""
        with wrapped(self.name):
            # Where all scores are equal Tantivy gives the first segments' lowest numbers first.
            found = self._searcher.search(tantivy.Query.const_score_query(query, 1.0), limit, count=False, offset=after).hits
        return sorted(self._firsts[address.segment_ord] + address.doc for _, address in found)

    def reach(self, words: Sequence[tuple[str, tuple[str, ...]]]) -> int:
        """Return how many documents at most have each of these words in one of its fields: 0 says that a search finds none.

        Cost: 2 us a word and field, and a search 10 us for each of them.
        """
        known = self._searcher.doc_freq
        least = self._firsts[-1]
        with wrapped(self.name):
            for word, fields in words:
                least = min(least, sum(known(field, word) for field in fields))
                if not least:
                    break
        return least

    def has_word(self, word: str, *, prefix: bool = False) -> bool:
        """Return whether a title has a word, or one that begins so. Cost: 1 us."""
        with wrapped(self.name):
            if prefix:
                return bool(self._searcher.terms_with_prefix("title", word, limit=1))
            return self._searcher.doc_freq("title", word) > 0

    def begun(self, field: str, prefix: str, limit: int) -> list[str] | None:
        """Return the words of a field that begin so, None for more than `limit`. Cost: 10 us, and 1 us for each."""
        with wrapped(self.name):
            found = self._searcher.terms_with_prefix(field, prefix, limit=limit + 1)
        return [word for word, _ in found] if len(found) <= limit else None

    def counted(self, query: tantivy.Query, facets: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        """Return how many documents match, and Tantivy's aggregation of them."""
        with wrapped(self.name):
            count: int = self._searcher.search(query, 1, count=True).count or 0  # type: ignore[attr-defined]
            return count, self._searcher.aggregate(query, dict(facets)) if count and facets else {}

    def cards(self, documents: Sequence[int]) -> list[Card]:
        """Return the cards of documents, in order. Raises: StoreError when the index is damaged."""
        if documents and not 0 <= min(documents) <= max(documents) < self._firsts[-1]:
            raise StoreError(self.name, "names rows that there are not", "Build the index again.")
        blocks: dict[tuple[int, int], list[int]] = {}
        for document in documents:
            shard = bisect_right(self._firsts, document) - 1
            row = document - self._firsts[shard]
            blocks.setdefault((shard, row // BLOCK_ROWS), []).append(row % BLOCK_ROWS)
        return [card for (shard, block), rows in blocks.items() for card in self._cards[shard].of_block(block, rows)]
