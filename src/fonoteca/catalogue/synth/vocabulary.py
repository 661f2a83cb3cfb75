"""Made-up words in several scripts, each in the spellings that lists use, as one array of tokens to take from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fonoteca.catalogue.synth.chance import SLOTS, U64, deck, draw, key, odds, slot
from fonoteca.catalogue.synth.settings import PEER_TRACKS

WORDS_FULL = 2_700_000
"""Distinct words at 256 M tracks; at other sizes they grow with the square root (Heaps 1978: vocabulary ~ text^0.5)."""

LETTERS_A_WORD = {
    1: 1382, 2: 3363, 3: 4332, 4: 5337, 5: 4687, 6: 3909, 7: 2759, 8: 2089, 9: 1386, 10: 853, 11: 458, 12: 227, 13: 127, 14: 99,
    15: 27, 16: 27, 17: 9, 18: 9, 19: 5, 20: 7,
}  # fmt: skip
"""Characters a word in the titles of ccmusic's tracks.csv (31,093 of its 31,109 words; the longest left out)."""
SHORT_MAX = 3
SHORT_SHARES = (0.0, 0.053, 0.177, 0.312, 0.342, 0.364, 0.371, 0.377)
"""Words of at most three letters in ccmusic's titles of 1, 2, ... 7 words; longer titles have 0.377 to 0.45."""
SHORT_SHARE = 0.002
"""Short words are few and often said: of a script's words, these many are of at most three letters."""


@dataclass(frozen=True, slots=True)
class Script:
    """A way of writing. share: of artists who use it (made up). words: share of the vocabulary. parts: letters in turn.

    close: no blanks between words, which are short.
    """

    name: str
    share: float
    words: float
    parts: tuple[str, ...]
    close: bool = False


def _block(first: int, last: int, step: int = 1) -> str:
    return "".join(chr(c) for c in range(first, last + 1, step))


SCRIPTS = (
    Script("Latin", 0.62, 0.40, ("bbcccdddfgghjkllllmmmnnnnpprrrrsssstttttvwyz", "aaaaeeeeeiiiooou")),
    Script("Latin with diacritics", 0.16, 0.16, ("bcçčdfgğhjklłmnnñprřsšştvzžß", "aaáàâäåãeeéèêiíîoóöôøuúüűy")),
    Script("Cyrillic", 0.06, 0.13, ("бвгдджзкклмнпрсттфхцчшщ", "аееёиийоуыэюя")),
    Script("Greek", 0.02, 0.05, ("βγδζθκλμνξπρσστφχψ", "αάεέηήιίοόυύωώ")),
    Script("Arabic", 0.03, 0.07, ("بتثجحخدذرزسشصضطظعغفقكلمنهوي", "اويبنلمر")),
    Script("Hebrew", 0.01, 0.04, ("אבגדהוזחטיכלמנסעפצקרשת", "אויהלמר")),
    Script("Han", 0.04, 0.06, (_block(0x4E00, 0x9000, 7), _block(0x4E03, 0x9000, 11)), True),
    Script("kana", 0.03, 0.05, (_block(0x3042, 0x3062) + _block(0x30A2, 0x30E2), _block(0x3044, 0x308D)), True),
    Script("Hangul", 0.03, 0.04, (_block(0xAC00, 0xD7A3, 28), _block(0xAC00, 0xD7A3, 21)), True),
)
"""Shares of the scripts are made up, Latin first, as in the large open databases."""

TITLE, LOWER, UPPER, PLAIN, TYPO = range(5)
"""Spellings: Capitalised, lower case, UPPER CASE, capitalised without diacritics, and with a slip of the finger."""
SPELLINGS = 5
VARIANTS = 2 * SPELLINGS + 1
"""Each spelling alone, each with a blank before it, and the first with a hyphen before it."""

LONG, SHORT, EVEN, NAME = range(4)
"""How words are drawn: long or short ones by Zipf's law; any long one with little preference, or with next to none."""
WAYS = 4
KERNEL_WORDS = 6_000
"""Words that all use, beyond which Zipf's law falls faster (Ferrer i Cancho and Sole 2001, 5,000 to 6,000)."""
EVEN_FLOOR = 3_000
"""Titles of one word shun the most common words: drawn as if from rank 3,000 on, so that artists seldom repeat a title."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words as tokens. tokens: VARIANTS blocks of `count` words each, then `fixed`. count: distinct words.

    ranks: for each script and way of drawing, the word at each 65,536th of the way by weight, and the last, shape (36, 65537).
    fixed: token of each fixed text.
    """

    tokens: pa.StringArray
    count: int
    ranks: NDArray[np.uint32]
    fixed: Mapping[str, int]

    def words(self, script: NDArray[np.int64], way: NDArray[np.int64], draws: U64) -> NDArray[np.int64]:
        """Return a word for each draw, from its upper 32 bits."""
        at = (script * WAYS + way) * (SLOTS + 1) + slot(draws, 2).astype(np.int64)
        flat = self.ranks.reshape(-1)
        low = flat[at].astype(np.int64)
        width: NDArray[np.int64] = flat[at + 1].astype(np.int64) - low
        width *= (draws >> np.uint64(48)).astype(np.int64)
        width >>= 16
        width += low
        return width


def word_count(tracks: int) -> int:
    """Return how many words a catalogue of this size has in about."""
    return round(WORDS_FULL * min(1.0, math.sqrt(tracks / PEER_TRACKS)))


def build_vocabulary(seed: int, tracks: int, fixed: list[str]) -> Vocabulary:
    """Return the words of a catalogue. fixed: texts to have as tokens too. Cost: about 2 us a word; 120 B a word."""
    wanted = word_count(tracks)
    blocks: list[pa.StringArray] = []
    ranks = np.empty((WAYS * len(SCRIPTS), SLOTS + 1), np.uint32)
    first = 0
    for number, script in enumerate(SCRIPTS):
        count = max(400, round(wanted * script.words))
        short_count = max(60, round(count * SHORT_SHARE))
        short = _spell(key(seed, f"short {script.name}"), script, short_count, True)
        long = _spell(key(seed, f"long {script.name}"), script, count, False)
        blocks += [short, long]
        ranks[WAYS * number + SHORT] = first + _zipf(len(short), 1)
        ranks[WAYS * number + LONG] = first + len(short) + _common(len(long))
        ranks[WAYS * number + EVEN] = first + len(short) + _zipf(len(long), min(EVEN_FLOOR, len(long) // 4))
        ranks[WAYS * number + NAME] = first + len(short) + _zipf(len(long), len(long) // 8)
        first += len(short) + len(long)
    words = pa.concat_arrays(blocks)
    tokens = pa.concat_arrays([*_variants(words, _is_close(blocks)), pa.array(fixed, pa.string())])
    return Vocabulary(tokens, len(words), ranks, {text: VARIANTS * len(words) + place for place, text in enumerate(fixed)})


def _zipf(count: int, floor: int) -> NDArray[np.int64]:
    """Return ranks from 0 by slot, weights 1 / (rank + floor)."""
    steps = np.linspace(np.log(floor), np.log(count + floor), SLOTS + 1)
    ranks: NDArray[np.int64] = np.minimum(np.floor(np.exp(steps) - floor + 1e-9), count - 1).astype(np.int64)
    return ranks


def _common(count: int) -> NDArray[np.int64]:
    """Return ranks by slot: two words in three from the kernel, the others from all, each by Zipf's law."""
    kernel, whole = _zipf(min(count, KERNEL_WORDS), 1), _zipf(count, 1)
    split = SLOTS * 2 // 3
    return np.concatenate(
        (kernel[np.linspace(0, SLOTS, split).astype(np.int64)], whole[np.linspace(0, SLOTS, SLOTS + 1 - split).astype(np.int64)])
    )


def _is_close(blocks: list[pa.StringArray]) -> NDArray[np.bool_]:
    close = [script.close for script in SCRIPTS for _ in range(2)]
    return np.repeat(np.array(close), [len(block) for block in blocks])


def _spell(stream: int, script: Script, count: int, short: bool) -> pa.StringArray:
    """Return distinct words, at most so many: letters of the parts in turn, now and then two of a kind."""
    weights = {size: float(n) for size, n in LETTERS_A_WORD.items() if (size <= SHORT_MAX) == short}
    if script.close:
        weights = {1: 1.0} if short else {2: 0.7, 3: 0.25, 4: 0.05}
    sizes, longest = deck(weights), max(weights)
    made = round(count * 1.3) + 50
    number = np.arange(made, dtype=np.uint64)
    size = sizes[slot(draw(stream, number), 0)]
    parts = [np.array([ord(c) for c in part], np.uint32) for part in script.parts]
    turn = slot(draw(stream, number), 1) & np.uint64(1)
    letters = np.zeros((made, longest), np.uint32)
    for place in range(longest):
        draws = draw(stream ^ (place + 1), number)
        one, other = (part[slot(draws, 0) % np.uint64(len(part))] for part in parts)
        letters[:, place] = np.where(turn == 0, one, other)
        turn = np.where(slot(draws, 1) < odds(0.12), turn, np.uint64(1) - turn)
    letters[np.arange(longest)[None, :] >= size[:, None]] = 0
    words = pa.array(np.ascontiguousarray(letters).view(f"<U{longest}").reshape(-1), pa.string())
    return pc.unique(words)[:count]


def _variants(words: pa.StringArray, close: NDArray[np.bool_]) -> list[pa.StringArray]:
    """Return the spellings, bare and spaced, then the hyphened. Words of close scripts have no blank before them."""
    title = pc.utf8_capitalize(words)
    plain = pc.replace_substring_regex(pc.utf8_normalize(title, "NFKD"), r"\p{Mn}+", "")
    plain = pc.if_else(pa.array(close), title, plain)  # Hangul would fall apart
    slip = np.arange(len(words)) % 3
    dropped = pc.utf8_replace_slice(title, 1, 2, "")
    doubled = pc.binary_join_element_wise(pc.utf8_slice_codeunits(title, 0, 2), pc.utf8_slice_codeunits(title, 1), "")
    moved = pc.binary_join_element_wise(
        pc.utf8_slice_codeunits(title, 0, 1), pc.utf8_slice_codeunits(title, 2, 3), pc.utf8_slice_codeunits(title, 1, 2),
        pc.utf8_slice_codeunits(title, 3), "",
    )  # fmt: skip
    typo = pc.if_else(pa.array(slip == 0), dropped, pc.if_else(pa.array(slip == 1), doubled, moved))
    typo = pc.if_else(pc.less(pc.utf8_length(title), 4), doubled, typo)
    blank = pc.if_else(pa.array(close), "", " ")
    spellings = [title, pc.utf8_lower(words), pc.utf8_upper(words), plain, typo]
    spaced = [pc.binary_join_element_wise(blank, spelling, "") for spelling in spellings]
    return [*spellings, *spaced, pc.binary_join_element_wise("-", title, "")]
