"""Questions against a snapshot: one scan for as many as a sieve holds, and the ids of what was found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fonoteca.catalogue.layout import recording_files
from fonoteca.catalogue.matching.answers import Answers, best_answers
from fonoteca.catalogue.matching.scan import Asked, scan, scan_rows
from fonoteca.catalogue.matching.sieve import QUESTIONS_MAX
from fonoteca.catalogue.matching.signatures import Named, mixed, parts_of
from fonoteca.catalogue.rank_ids import ids_of_ranks
from fonoteca.ports import SILENCE, Progress

SCORE_MIN = 0.8
"""An answer that is less likely to be right is not given."""
THREADS = 2


@dataclass(frozen=True, slots=True)
class Sought:
    """Where to look. folder: of a snapshot. score_min: answers below are taken back. questions_max: a scan."""

    folder: Path
    score_min: float = SCORE_MIN
    threads: int = THREADS
    questions_max: int = QUESTIONS_MAX


def find(sought: Sought, named: Named, progress: Progress = SILENCE) -> Answers:
    """Return the best answer to each question. Questions that are alike are asked once.

    Cost at 256 million recordings: see docs/decisions/match.md. Memory: 400 B a different question.
    """
    first, back = _different(named)
    answers = [Answers.none(0)]
    for begin in range(0, len(first), sought.questions_max):
        some = first[begin : begin + sought.questions_max]
        asked = Asked(_take(named, some))
        with progress.task("searching", scan_rows(sought.folder), "recordings") as advance:
            found = scan(sought.folder, asked, sought.threads, advance)
        answers.append(best_answers(found, len(some)))
    joined = Answers(*(np.concatenate([getattr(a, name) for a in answers]) for name in ("ranks", "scores", "rules")))
    return joined.at_least(sought.score_min).take(back)


def _different(named: Named) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first row of each that differs, and for each row which of those it is like."""
    key = np.zeros(len(named.duration_ms), np.uint64)
    for column in (named.titles, named.credits, named.isrcs):
        part = parts_of(column)
        key = mixed(key, part.letters, part.head, part.tail)
    key = mixed(key, named.duration_ms.astype(np.uint64))
    _, first, back = np.unique(key, return_index=True, return_inverse=True)
    return first, back


def _take(named: Named, rows: npt.NDArray[np.int64]) -> Named:
    at = pa.array(rows)
    return Named(named.titles.take(at), named.credits.take(at), named.duration_ms[rows], named.isrcs.take(at))


def ids_of(folder: Path, ranks: npt.NDArray[np.uint32]) -> pa.Array:
    """Return the id of the recording of each rank as text, null for rank 0. Cost: one column's scan of the files it needs."""
    wanted = np.unique(ranks[ranks > 0]).astype(np.int64)
    found = ids_of_ranks(recording_files(folder), wanted).view(np.uint8).reshape(-1, 16)
    return _uuid_texts(found).take(pa.array(np.searchsorted(wanted, ranks), mask=ranks == 0))


_HEX = np.frombuffer(b"".join(b"%02x" % octet for octet in range(256)), np.uint8).reshape(256, 2)
_HYPHENS = (8, 13, 18, 23)


def _uuid_texts(octets: npt.NDArray[np.uint8]) -> pa.Array:
    """Return UUIDs as text. octets: shape (rows, 16)."""
    texts = np.full((len(octets), 36), ord("-"), np.uint8)
    places = [place for place in range(36) if place not in _HYPHENS]
    texts[:, places] = _HEX[octets].reshape(len(octets), 32)
    bounds = np.arange(len(octets) + 1, dtype=np.int64) * 36
    return pa.Array.from_buffers(pa.large_string(), len(octets), [None, pa.py_buffer(bounds), pa.py_buffer(texts)])
