"""Labelled questions for matching: rows of a synthetic catalogue as people's lists would have them, and a few that it has not."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fonoteca.catalogue.ahead import in_order
from fonoteca.catalogue.synth.chance import U64, Bool, deck, draw, key, odds, slot
from fonoteca.catalogue.synth.parquet import LABEL, OpenWriter, parquet_writer
from fonoteca.catalogue.synth.rows import Facts
from fonoteca.catalogue.synth.settings import ROW_GROUP_ROWS, SynthSettings
from fonoteca.catalogue.synth.vocabulary import LOWER, PLAIN, TITLE, UPPER
from fonoteca.catalogue.synth.weighing import Weighed
from fonoteca.catalogue.synth.wording import NONE, REMASTERS, SENTENCE, Dress, Wording
from fonoteca.catalogue.synth.world import NO_COMMON, Appearances
from fonoteca.model.errors import UsageError
from fonoteca.ports import Progress

QUERIES = pa.schema(
    [
        ("title", pa.string()), ("artist", pa.string()), ("duration_ms", pa.int32()), ("isrc", pa.string()),
        ("truth_uuid", pa.uuid()), ("truth_recording", pa.uint32()),
    ],
    metadata={"synthetic": LABEL},
)  # fmt: skip
PHANTOMS = 3_000_000_000
"""Numbers from here on are of recordings that are in no catalogue."""
SPELLINGS_ASKED = {NONE: 35, LOWER: 25, TITLE: 18, SENTENCE: 5, UPPER: 5, PLAIN: 12}
"""How lists spell, against the catalogue's own way (-1): made up."""
SLIPS, ARTIST_SLIPS = 0.07, 0.03
"""Questions with one typing error: one in ten, in title or artist."""
GUEST_RESTYLED, GUEST_OMITTED, GUEST_ADDED, GUEST_SWAPPED = 0.4, 0.25, 0.01, 0.5
REMASTER_ADDED, LIVE_RESTYLED, MARK_DROPPED, MARK_ADDED, THE_DROPPED = 0.04, 0.3, 0.5, 0.02, 0.3
"""Rates of what else lists do to names; made up. A live take is always called so when the catalogue calls it so."""
LENGTH_GIVEN, LENGTH_IN_SECONDS, LENGTH_WRONG = 0.7, 0.5, 0.02
ISRC_GIVEN = 0.3
"""Rates of what lists give beside names; made up."""


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """What is asked. count: rows. heard_share: drawn by listening, the rest evenly. absent_share: in no catalogue."""

    count: int
    seed: int = 1
    heard_share: float = 0.5
    absent_share: float = 0.05

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.count <= 1_000_000_000 or not 0 <= self.heard_share <= 1 or not 0 <= self.absent_share < 1:
            raise UsageError("synthetic questions", f"{self.count} rows, shares {self.heard_share} and {self.absent_share}")


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked of which world. path: of the Parquet file to write, below staging."""

    world: SynthSettings
    asked: QuerySettings
    path: Path


def write_queries(questions: Questions, open_writer: OpenWriter, progress: Progress) -> int:
    """Write the questions in random order, each with a right row's uuid and its recording, both null where none is right.

    Any row of that recording is a right answer. Returns: how many have one. Memory: 10 B a question beside the world's.
    """
    weighed = Weighed(questions.world, progress)
    asker = _Asker(weighed, questions.asked)
    rows = asker.choose(progress)
    answered = 0
    with (
        progress.task("writing the questions", len(rows), "rows") as advance,
        open_writer(questions.path) as stream,
        parquet_writer(stream, QUERIES) as writer,
        closing(in_order(lambda number: asker.ask(rows, number), range(-(-len(rows) // ROW_GROUP_ROWS)))) as made,
    ):
        for batch in made:
            writer.write_batch(batch, row_group_size=ROW_GROUP_ROWS)
            answered += len(batch) - batch.column("truth_uuid").null_count
            advance(len(batch))
    return answered


class _Asker:
    def __init__(self, weighed: Weighed, asked: QuerySettings) -> None:
        self._weighed = weighed
        self._asked = asked
        self._facts, self._wording = Facts(weighed.world), Wording(weighed.world)
        self._key = {name: key(asked.seed, f"question {name}") for name in ("which", "dress", "more", "given")}
        self._spellings = deck(SPELLINGS_ASKED)

    def choose(self, progress: Progress) -> NDArray[np.uint32]:
        """Return the row that each question is made from, in random order."""
        asked, weighed = self._asked, self._weighed
        tracks = weighed.settings.tracks

        def drawn(number: int) -> NDArray[np.uint32]:
            block = weighed.block(number)
            chance = np.random.Generator(np.random.SFC64([self._key["which"], number]))
            expected = asked.count * asked.heard_share / weighed.love * block.weight
            return np.repeat(block.of.row.astype(np.uint32), chance.poisson(expected))

        found: list[NDArray[np.uint32]] = []
        if asked.heard_share:
            with (
                progress.task("choosing what is asked", tracks, "rows") as advance,
                closing(in_order(drawn, range(weighed.block_count()))) as chosen,
            ):
                for rows in chosen:
                    found.append(rows)
                    advance(min(ROW_GROUP_ROWS, tracks))
        chance = np.random.Generator(np.random.SFC64([self._key["which"], weighed.block_count()]))
        heard = np.concatenate([*found, np.zeros(0, np.uint32)])
        chance.shuffle(heard)
        heard = heard[: asked.count]
        even = chance.integers(0, tracks, max(0, asked.count - len(heard)), dtype=np.uint32)
        rows = np.concatenate((heard, even))
        chance.shuffle(rows)
        return rows

    def ask(self, rows: NDArray[np.uint32], block: int) -> pa.RecordBatch:
        """Return a block of questions."""
        numbers = np.arange(block * ROW_GROUP_ROWS, min((block + 1) * ROW_GROUP_ROWS, len(rows)), dtype=np.uint64)
        row = rows[numbers].astype(np.uint64)
        of = self._weighed.world.appearances(row)
        absent = slot(draw(self._key["which"], numbers), 0) < odds(self._asked.absent_share)
        asked = self._made_absent(of, absent, numbers)
        dress = self._dress(asked, numbers)
        given = draw(self._key["given"], numbers)
        right = ~absent
        isrcs = self._facts.isrcs(asked)
        without = pa.array(slot(given, 0) >= odds(ISRC_GIVEN))
        columns = [
            self._wording.titles(asked, dress),
            self._wording.artists(asked, dress),
            self._lengths(asked, given),
            pc.if_else(pc.or_(without, pc.equal(isrcs, "")), None, isrcs),
            self._facts.uuids(row, right),
            pa.array(of.home.astype(np.uint32), mask=absent),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=QUERIES)

    def _made_absent(self, of: Appearances, absent: Bool, numbers: U64) -> Appearances:
        """Return the rows with some made into ones of recordings that do not exist, half of them by artists that do."""
        phantom = numbers + np.uint64(PHANTOMS)
        stranger = absent & (slot(draw(self._key["which"], numbers), 1) < odds(0.5))
        artist = np.where(stranger, phantom, of.artist)
        return replace(
            of,
            row=np.where(absent, phantom, of.row),
            home=np.where(absent, phantom, of.home),
            titled=np.where(absent, phantom, of.titled),
            words=np.where(absent, phantom, of.words),
            artist=artist,
            words_artist=np.where(absent, artist, of.words_artist),
            common=np.where(absent, NO_COMMON, of.common),
            version=np.where(absent, 0, of.version),
        )

    def _lengths(self, of: Appearances, given: U64) -> pa.Array:
        length = self._facts.lengths(of).astype(np.int64)
        size = slot(given, 2).astype(np.int64)
        shift = np.where(slot(given, 3) < odds(LENGTH_WRONG), (size - 32768) // 3, (size - 32768) * 1500 // 32768)
        length = np.maximum(1000, length + shift)
        seconds = (given >> np.uint64(48) & np.uint64(0xFF)) < np.uint64(round(256 * LENGTH_IN_SECONDS))
        length = np.where(seconds, (length + 500) // 1000 * 1000, length)
        return pa.array(length.astype(np.int32), mask=slot(given, 1) >= odds(LENGTH_GIVEN))

    def _dress(self, of: Appearances, numbers: U64) -> Dress:
        own = self._facts.dress(of)
        draws, more = draw(self._key["dress"], numbers), draw(self._key["more"], numbers)
        asked = self._spellings[slot(draws, 0)]
        chance = slot(draws, 1)
        guest, by_artist = self._guest(of, own, more)
        mark = np.where((own.mark != NONE) & (slot(more, 1) < odds(MARK_DROPPED)), NONE, own.mark)
        mark = np.where((own.mark == NONE) & (slot(more, 1) < odds(MARK_ADDED)), slot(more, 3).astype(np.int64) % 4, mark)
        remastered = (own.remaster == NONE) & (of.version == 0) & (slot(draws, 2) < odds(REMASTER_ADDED))
        return Dress(
            spelling=np.where(asked == NONE, own.spelling, asked),
            artist_spelling=np.where(asked == NONE, own.artist_spelling, np.where(asked == SENTENCE, TITLE, asked)),
            hyphen=np.zeros(len(numbers), bool),
            slip=np.where(chance < odds(SLIPS), slot(draws, 3).astype(np.int64), NONE),
            artist_slip=np.where(
                (chance >= odds(SLIPS)) & (chance < odds(SLIPS + ARTIST_SLIPS)), slot(draws, 3).astype(np.int64), NONE
            ),
            mark=mark,
            version=own.version,
            version_style=np.where(slot(more, 2) < odds(LIVE_RESTYLED), 1, 0),
            remaster=np.where(remastered, slot(draws, 2).astype(np.int64) % len(REMASTERS), NONE),
            guest=guest,
            guest_by_artist=by_artist,
            guest_first=slot(more, 3) < odds(GUEST_SWAPPED),
            article=own.article & (slot(more, 2) >= odds(THE_DROPPED)),
        )

    def _guest(self, of: Appearances, own: Dress, more: U64) -> tuple[NDArray[np.int64], Bool]:
        """Return how a guest is named, if it is: as in the catalogue, another way, not at all; or one that nobody else knows of."""
        chance = slot(more, 0)
        has = own.guest != NONE
        other = self._facts.guest_styles(slot(more, 3))
        restyled = has & (chance < odds(GUEST_RESTYLED))
        guest = np.where(restyled, other & 7, own.guest)
        by_artist = np.where(restyled, other >= 8, own.guest_by_artist)
        guest = np.where(has & (chance > odds(1 - GUEST_OMITTED)), NONE, guest)
        added = ~has & (chance < odds(GUEST_ADDED)) & (of.version == 0)
        # the ampersand swaps places with the artist, or stands after: both are ways to write one credit
        return np.where(added, 0, guest), np.where(added, False, by_artist | (guest == 5))
