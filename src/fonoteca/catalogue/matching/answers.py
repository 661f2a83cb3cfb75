"""From candidates to one answer a question, with the probability that it is right. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fonoteca.catalogue.matching.scan import Candidates
from fonoteca.catalogue.matching.sieve import QUESTION_BITS
from fonoteca.catalogue.matching.weighing import CODES, GRADES, grades_of
from fonoteca.catalogue.matching.weights import CALIBRATION, NONE_WEIGHT, RANK_WEIGHT, WEIGHTS

RULES = ("isrc", "names", "alike")
"""How an answer agrees: in an ISRC; else in all letters of title and artist; else nearly."""
_RULE_BITS = 2
_STEP_BITS_MAX = 20
"""Steps of weight that 32-bit floats tell apart with room to spare; at 256 million recordings there is room for 10 bits."""
_WEIGHT_MIN, _WEIGHT_MAX = -20.0, 28.0
_WEIGHTS_WIDE = _WEIGHT_MAX - _WEIGHT_MIN
"""Sums beyond these do not change a probability in its sixth digit."""


@dataclass(frozen=True, slots=True)
class Answers:
    """One row a question. ranks: of the recording, 0 for no answer. scores: the probability that it is right. rules: into RULES."""

    ranks: npt.NDArray[np.uint32]
    scores: npt.NDArray[np.float32]
    rules: npt.NDArray[np.uint8]

    @classmethod
    def none(cls, count: int) -> Answers:
        """Return no answer to so many questions."""
        return cls(np.zeros(count, np.uint32), np.zeros(count, np.float32), np.zeros(count, np.uint8))

    @property
    def found_count(self) -> int:
        """How many questions have an answer."""
        return int(np.count_nonzero(self.ranks))

    @property
    def expected_right(self) -> float:
        """The share of the answers that their scores promise to be right, 0 when there are none."""
        given = self.ranks > 0
        return float(self.scores[given].mean()) if given.any() else 0.0

    def by_rule(self) -> dict[str, int]:
        """Return how many answers each of RULES gave."""
        counts = np.bincount(self.rules[self.ranks > 0], minlength=len(RULES)).tolist()
        return dict(zip(RULES, counts, strict=True))

    def take(self, rows: npt.NDArray[np.int64]) -> Answers:
        """Return the answers of these rows."""
        return Answers(self.ranks[rows], self.scores[rows], self.rules[rows])

    def at_least(self, score: float) -> Answers:
        """Return the answers with those below a score taken back."""
        return Answers(np.where(self.scores >= score, self.ranks, 0).astype(np.uint32), self.scores, self.rules)


def code_weights() -> npt.NDArray[np.float64]:
    """Return the weight of every code of grades."""
    grades = grades_of(CODES)
    columns = [np.array(WEIGHTS[name])[grades[:, number]] for number, name in enumerate(GRADES)]
    found: npt.NDArray[np.float64] = np.sum(columns, axis=0)
    return found


def best_answers(found: Candidates, question_count: int) -> Answers:
    """Return the best answer to each question; of equals the most heard. Cost: a sort of 8 B a candidate.

    All that is known of a candidate is packed into 64 bits, so that one sort puts it in its place: question, weight (heaviest
    first), rank, rule.
    """
    answers = Answers.none(question_count)
    if not len(found):
        return answers
    rank_bits = int(found.ranks.max()).bit_length()
    step_bits = min(64 - QUESTION_BITS - rank_bits - _RULE_BITS, _STEP_BITS_MAX)
    packed = found.questions.astype(np.uint64) << np.uint64(64 - QUESTION_BITS)
    packed |= _lightness(found, (1 << step_bits) - 1) << np.uint64(rank_bits + _RULE_BITS)
    packed |= found.ranks.astype(np.uint64) << np.uint64(_RULE_BITS)
    packed |= _code_rules()[found.codes].astype(np.uint64)
    packed.sort()
    question = (packed >> np.uint64(64 - QUESTION_BITS)).astype(np.int64)
    step = (packed >> np.uint64(rank_bits + _RULE_BITS)) & np.uint64((1 << step_bits) - 1)
    odds = np.exp(_WEIGHT_MAX - step.astype(np.float32) * np.float32(_WEIGHTS_WIDE / ((1 << step_bits) - 1)))
    rank = ((packed >> np.uint64(_RULE_BITS)) & np.uint64((1 << rank_bits) - 1)).astype(np.uint32)
    first = np.flatnonzero(np.diff(question, prepend=-1))
    asked = question[first]
    answers.ranks[asked] = rank[first]
    answers.rules[asked] = (packed[first] & np.uint64(3)).astype(np.uint8)
    # A recording is there once for each of its names that is alike: all of them speak for it.
    own = np.where(rank == np.repeat(rank[first], np.diff(first, append=len(rank))), odds, 0)
    answers.scores[asked] = calibrated(np.add.reduceat(own, first) / (np.add.reduceat(odds, first) + np.exp(NONE_WEIGHT)))
    return answers


def _lightness(found: Candidates, steps: int) -> npt.NDArray[np.uint64]:
    """Return how far each candidate is from the greatest weight, in steps. What is heard more is asked for more."""
    weights = code_weights().astype(np.float32)[found.codes]
    weights -= np.float32(RANK_WEIGHT) * np.log(found.ranks.astype(np.float32))
    np.clip(weights, _WEIGHT_MIN, _WEIGHT_MAX, out=weights)
    found_steps: npt.NDArray[np.uint64] = np.rint((_WEIGHT_MAX - weights) * np.float32(steps / _WEIGHTS_WIDE)).astype(np.uint64)
    return found_steps


def calibrated(raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return the share of right answers among those with such a raw score."""
    return np.interp(raw, CALIBRATION[0], CALIBRATION[1]).astype(np.float32)


def _code_rules() -> npt.NDArray[np.uint8]:
    grades = dict(zip(GRADES, grades_of(CODES).T, strict=True))
    same = np.isin(grades["title"], (1, 2)) & np.isin(grades["credit"], (1, 2))
    return np.where(grades["isrc"] == 1, 0, np.where(same, 1, 2)).astype(np.uint8)
