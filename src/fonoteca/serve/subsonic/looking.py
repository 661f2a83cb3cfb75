"""What the index has of what is held, by words and kind. Its last answers are kept: an index never changes, it is replaced."""

from __future__ import annotations

import threading
from collections import OrderedDict

from fonoteca.search import HitKind
from fonoteca.serve.rooms import Finder

Named = tuple[str, str]
"""The id and the title, or name, of a hit."""

KEPT_MOST, KEPT_HITS_MOST = 2_000, 100
"""Answers of a process, and the hits of one that is kept: some 20 MB together. Many ask for the same few words."""


class Lookups:
    """What was asked of an index last, each by the name of the index.

    What is held, shared and withdrawn now is asked of the register, each time.
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._kept: OrderedDict[tuple[str, str, str, int], tuple[Named, ...]] = OrderedDict()
        self._turn = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether there is an index."""
        return self._finder.current() is not None

    def find(self, words: str, kind: HitKind, limit: int) -> tuple[Named, ...]:
        """Return the best hits of a kind among what is held, so many at most; none before there is an index."""
        index = self._finder.current()
        if index is None:
            return ()
        asked = (index, words, str(kind), limit)
        with self._turn:
            found = self._kept.get(asked)
            if found is not None:
                self._kept.move_to_end(asked)
                return found
        hits = self._finder.search(f"held:yes kind:{kind} {words}", limit)
        found = tuple((hit.id, hit.title) for hit in hits if hit.kind is kind and hit.held)
        if len(found) <= KEPT_HITS_MOST:
            with self._turn:
                self._kept[asked] = found
                if len(self._kept) > KEPT_MOST:
                    self._kept.popitem(last=False)
        return found
