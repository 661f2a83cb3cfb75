"""What curators' words come to: which ids are one recording whatever the machine finds, and which it keeps apart. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from fonoteca.model.ids import RecordingId
from fonoteca.model.words import Word, WordKind


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A word that does not count, and the earlier one that it contradicts or repeats."""

    word: Word
    earlier: Word


@dataclass(frozen=True, slots=True)
class Told:
    """What words tell a build, ids as 16 bytes. apart: ids that no rule merges, and no redirect moves.

    joins: (what stays, what becomes part of it), in order of being said. contradictions: words that do not count.
    """

    apart: Collection[bytes] = frozenset()
    joins: tuple[tuple[bytes, bytes], ...] = ()
    contradictions: tuple[Contradiction, ...] = ()


NOTHING_TOLD = Told()


def told_of(words: Sequence[Word], apart: Collection[bytes] = frozenset()) -> Told:
    """Return what words tell, in order of being said: of two that contradict each other, the earlier counts.

    apart: further ids that a person keeps out of merges. Cost: some 10 us a word.
    """
    fold = _Fold()
    kept: list[Word] = []
    contradictions = []
    for word in sorted(words, key=lambda each: (each.at, each.entry)):
        earlier = fold.said(word)
        if earlier is None:
            kept.append(word)
        else:
            contradictions.append(Contradiction(word, earlier))
    split = {id_bytes(one) for word in kept if word.kind is WordKind.SPLIT for one in word.ids}
    return Told(frozenset(apart) | split, tuple(_joins(kept)), tuple(contradictions))


def made_one(words: Sequence[Word], some: Collection[RecordingId], others: Collection[RecordingId]) -> Word | None:
    """Return the last word that makes one of some ids one with one of others, None where none does."""
    fold = _Fold()
    for word in words:
        fold.said(word)
    theirs = {fold.root(one) for one in others}
    return next((fold.by[root] for one in some if (root := fold.root(one)) in theirs), None)


def id_bytes(recording_id: RecordingId) -> bytes:
    """Return an id as 16 bytes."""
    return bytes.fromhex(recording_id.replace("-", ""))


def _joins(words: Sequence[Word]) -> list[tuple[bytes, bytes]]:
    found = []
    for word in words:
        stays, *parts = (word.recording, *word.ids) if word.kind is WordKind.MERGE else word.ids
        found += [(id_bytes(stays), id_bytes(part)) for part in parts]
    return found


@dataclass(slots=True)
class _Fold:
    """Ids that words made one, as a forest, and which of those are said to be two. Smaller ones join larger ones.

    by: of each root, the last word that made ids one there. against: of each root, the others that it is not, and who said so.
    """

    parent: dict[str, str] = field(default_factory=dict)
    size: dict[str, int] = field(default_factory=dict)
    by: dict[str, Word] = field(default_factory=dict)
    against: dict[str, dict[str, Word]] = field(default_factory=dict)

    def said(self, word: Word) -> Word | None:
        """Take a word in. Returns: None, or the earlier word that it contradicts or repeats; it is not taken in then."""
        named = (word.recording, *word.ids) if word.kind is WordKind.MERGE else word.ids
        roots = list(dict.fromkeys(self.root(one) for one in named))
        for place, one in enumerate(roots):
            for other in roots[:place]:
                if earlier := self.against.get(one, {}).get(other):
                    return earlier
        if word.kind is WordKind.MERGE and len(roots) == 1:
            return self.by[roots[0]]
        if word.kind is WordKind.SPLIT:
            whole = self.root(word.recording)
            if whole in roots:
                return self.by[whole]
            if len(roots) == 1 and (earlier := self.against.get(roots[0], {}).get(whole)):
                return earlier
        for other in roots[1:]:
            self._unite(self.root(roots[0]), self.root(other))
        mine = self.root(roots[0])
        if len(named) > 1:
            self.by[mine] = word
        if word.kind is WordKind.SPLIT:
            whole = self.root(word.recording)
            self.against.setdefault(mine, {})[whole] = self.against.setdefault(whole, {})[mine] = word
        return None

    def root(self, one: str) -> str:
        """Return what stands for all that an id is one with."""
        while (above := self.parent.get(one, one)) != one:
            one = above
        return one

    def _unite(self, one: str, other: str) -> None:
        into, gone = sorted((one, other), key=lambda root: -self.size.get(root, 1))
        self.parent[gone] = into
        self.size[into] = self.size.get(into, 1) + self.size.pop(gone, 1)
        for enemy, word in self.against.pop(gone, {}).items():
            del self.against[enemy][gone]
            self.against[enemy][into] = self.against.setdefault(into, {})[enemy] = word
