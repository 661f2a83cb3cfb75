"""Words that are few typing errors apart."""

from __future__ import annotations

from collections.abc import Iterator

ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "".join(map(chr, range(0x3B1, 0x3CA))),
    "".join(map(chr, range(0x430, 0x460))),
    "".join(map(chr, range(0x5D0, 0x5EB))),
    "".join(map(chr, (*range(0x621, 0x63B), *range(0x641, 0x64B)))),
)
"""Latin, Greek, Cyrillic, Hebrew, Arabic: as words are folded."""


def typing_errors(typed: str, word: str, *, prefix: bool = False) -> int:
    """Return the least number of letters wrong, missing, too many, or swapped with the next, that make one word of the other.

    prefix: of any beginning of `word` instead of all of it. Each letter is in one error at most (optimal string alignment).
    Cost: 0.2 us times the product of the lengths.
    """
    before: list[int] = []
    last = list(range(len(word) + 1))
    for i, letter in enumerate(typed, 1):
        row = [i]
        for j, other in enumerate(word, 1):
            least = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == word[j - 2] and typed[i - 2] == other:
                least = min(least, before[j - 2] + 1)
            row.append(least)
        before, last = last, row
    return min(last) if prefix else last[-1]


def alphabet_of(word: str) -> str:
    """Return the letters that most of a word is written in, "" for others than in ALPHABETS."""
    counts = {letters: sum(each in letters for each in word) for letters in ALPHABETS}
    best = max(counts, key=lambda letters: counts[letters])
    return best if 2 * counts[best] > len(word) else ""


def one_error_away(word: str, letters: str) -> Iterator[str]:
    """Yield what a word becomes by one typing error with these letters, some of it more than once: some 75 for each letter."""
    for at in range(len(word) + 1):
        head, tail = word[:at], word[at:]
        for letter in letters:
            yield head + letter + tail
            if tail:
                yield head + letter + tail[1:]
        if tail:
            yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
