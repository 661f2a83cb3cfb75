"""Matching measured on synthetic questions, whose right answers are known, and its weights fitted to them.

python -m bench.match world TRACKS FOLDER    a synthetic catalogue, built, with questions; FOLDER is an archive then
python -m bench.match measure FOLDER         recall, precision, reliability, seconds and memory
python -m bench.match fit FOLDER             print catalogue/matching/weights.py anew
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bench.match_world import Noise, real_rows, without_some, write_snapshot
from bench.match_world import named as named_rows
from bench.stopwatch import SILENT, Stopwatch
from fonoteca.catalogue import TableMapping
from fonoteca.catalogue.layout import table_files
from fonoteca.catalogue.matching import Named, QuestionFile, Sought, find, ids_of
from fonoteca.catalogue.matching.scan import Asked, Candidates, scan
from fonoteca.catalogue.matching.weighing import GRADES, grades_of
from fonoteca.catalogue.matching.weights import NONE_WEIGHT, RANK_WEIGHT, WEIGHTS
from fonoteca.catalogue.synth.queries import QuerySettings, Questions, write_queries
from fonoteca.catalogue.synth.settings import SynthSettings
from fonoteca.catalogue.synth.writing import write_synthetic
from fonoteca.model.settings import Settings
from fonoteca.wiring import create_archive, open_archive

PEER_QUESTIONS, PEER_TRACKS = 12.2e6, 256_039_007
"""The known job: so many rows against so many recordings."""
WORLD_SEED, QUESTION_SEED, SPOILING_SEED = 7, 3, 11
REAL_SEEDS = range(100, 104)
FITTED_MAX = 60_000
"""Synthetic questions to fit to: more do not change the second digit of a weight."""
DUMP, QUESTIONS_FILE = "dump", "questions.parquet"
SCORE_EDGES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 1.01)
CALIBRATION_EDGES = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999, 0.99999)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """An archive with a built synthetic catalogue. truth: the true recording of each question, -1 for none."""

    folder: Path

    @property
    def snapshot(self) -> Path:
        with open_archive(self.folder) as archive:
            return archive.catalogue.snapshot_folder()

    @property
    def questions(self) -> Path:
        return self.folder / QUESTIONS_FILE

    def truth(self) -> npt.NDArray[np.int64]:
        """Return the true recording of each question, -1 where there is none."""
        query = f"SELECT coalesce(truth_recording::BIGINT, -1) AS t FROM '{self.questions}'"
        return np.asarray(duckdb.sql(query).to_arrow_table()["t"])

    def recordings(self) -> npt.NDArray[np.int64]:
        """Return the true recording of each rank, with one for rank 0 that is never right."""
        files = ", ".join(f"'{path}'" for path in table_files(self.snapshot, "recordings"))
        dump = self.folder / DUMP
        query = f"""WITH dumped AS (SELECT mbid, uuid, recording FROM read_parquet('{dump}/catalogue-*.parquet')
                POSITIONAL JOIN read_parquet('{dump}/truth/truth-*.parquet'))
            SELECT rank, any_value(recording)::BIGINT AS recording FROM read_parquet([{files}]) r
                JOIN (SELECT mbid AS id, recording FROM dumped WHERE mbid IS NOT NULL UNION ALL
                      SELECT uuid AS id, recording FROM dumped) USING (id) GROUP BY rank"""
        found = duckdb.sql(query).to_arrow_table()
        ranks = np.asarray(found["rank"])
        table = np.full(int(ranks.max()) + 1, -2, np.int64)
        table[ranks] = np.asarray(found["recording"])
        return table


def make_world(tracks: int, folder: Path) -> World:
    """Write a synthetic catalogue and questions about it, in the ratio of the known job, and build the catalogue."""
    create_archive(folder, Settings("bench", "Matching measured"))
    dump = folder / DUMP
    (dump / "truth").mkdir(parents=True)
    settings = SynthSettings(tracks, WORLD_SEED)
    write_synthetic(settings, dump, lambda path: path.open("wb"), SILENT)
    count = round(tracks * PEER_QUESTIONS / PEER_TRACKS)
    asked = Questions(settings, QuerySettings(count, QUESTION_SEED), folder / QUESTIONS_FILE)
    write_queries(asked, lambda path: path.open("wb"), SILENT)
    mapping = TableMapping.from_toml((dump / "catalogue.toml").read_bytes(), "catalogue.toml")
    with open_archive(folder, writing=True) as archive:
        archive.catalogue.import_table(sorted(dump.glob("catalogue-*.parquet")), mapping)
        archive.catalogue.build()
    return World(folder)


def measure(world: World) -> Mapping[str, float]:
    """Return how matching does on the questions of a world; prints how far scores can be trusted."""
    with Stopwatch() as reading:
        named = QuestionFile(world.questions).named()
    before = resource.getrusage(resource.RUSAGE_SELF)
    with Stopwatch() as finding:
        answers = find(Sought(world.snapshot, score_min=0), named)
    after = resource.getrusage(resource.RUSAGE_SELF)
    with Stopwatch() as naming:
        ids_of(world.snapshot, answers.ranks)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    given = answers.at_least(Sought(world.snapshot).score_min).ranks
    truth, recordings = world.truth(), world.recordings()
    right = recordings[answers.ranks] == truth
    print("score            answers   right   promised")
    for low, high in pairwise(SCORE_EDGES):
        inside = (answers.scores >= low) & (answers.scores < high) & (answers.ranks > 0)
        if inside.any():
            print(f"{low:.3f} to {high:.3f} {inside.sum():9} {right[inside].mean():8.4f} {answers.scores[inside].mean():8.4f}")
    return {
        "questions": len(truth),
        "recall": float((right & (given > 0)).sum() / (truth >= 0).sum()),
        "precision": float((right & (given > 0)).sum() / (given > 0).sum()),
        "reading_s": reading.seconds,
        "finding_s": finding.seconds,
        "finding_cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "naming_s": naming.seconds,
        "memory_bytes": memory,
    }


STRANGERS = 0.06
"""Questions made into ones that the catalogue cannot answer although it has something alike: "Home Again", where it has "Home"."""


def spoilt(named: Named, truth: npt.NDArray[np.int64], chance: np.random.Generator) -> tuple[Named, npt.NDArray[np.int64]]:
    """Return questions with more wrong than synthetic ones have, and their truth: no artist, no title but an ISRC, further slips,
    and strangers.
    """
    dice = chance.random(len(truth))
    titles, credit = _slipped(named.titles, dice < 0.06, chance), _slipped(named.credits, (dice > 0.05) & (dice < 0.09), chance)
    only_isrc = pc.and_(pa.array(dice > 0.98), pc.not_equal(named.isrcs, ""))
    no_artist = pc.or_(only_isrc, pa.array((dice > 0.97) & (dice < 0.98)))
    strange = (dice > 0.5) & (dice < 0.5 + STRANGERS)
    titles = _estranged(titles, strange, chance)
    duration = np.where(strange, chance.permutation(named.duration_ms), named.duration_ms)
    isrcs = pc.if_else(pa.array(strange), "", named.isrcs)
    asked = Named(pc.if_else(only_isrc, "", titles), pc.if_else(no_artist, "", credit), duration, isrcs)
    return asked, np.where(strange, -1, truth)


def _estranged(titles: pa.Array, which: npt.NDArray[np.bool_], chance: np.random.Generator) -> pa.Array:
    """Return titles with a word or number added, taken away or replaced, as other songs of the same artist have them."""
    found = titles.to_pylist()
    for row in np.flatnonzero(which).tolist():
        words = found[row].split()
        word = str(chance.choice(found[int(chance.integers(len(found)))].split() or ["again"]))
        places = [*words, word], [word, *words], [*words, str(chance.integers(2, 30))], words[:-1] or [word], [*words[:-1], word]
        found[row] = " ".join(places[chance.integers(5)])
    return pa.array(found, pa.string())


def _slipped(texts: pa.Array, which: npt.NDArray[np.bool_], chance: np.random.Generator) -> pa.Array:
    found = texts.to_pylist()
    for row in np.flatnonzero(which).tolist():
        text = found[row]
        if len(text) > 3:
            place = int(chance.integers(1, len(text)))
            found[row] = text[: place - 1] + text[place:] if chance.random() < 0.5 else text[:place] + "e" + text[place:]
    return pa.array(found, pa.string())


@dataclass(frozen=True)
class Labelled:
    """Candidates of questions, and which of them are right."""

    found: Candidates
    right: npt.NDArray[np.bool_]
    question_count: int

    def joined(self, other: Labelled) -> Labelled:
        """Return both, the other's questions numbered after these."""
        shifted = (self.found.questions, other.found.questions + np.uint32(self.question_count))
        found = Candidates(
            np.concatenate(shifted),
            np.concatenate([self.found.ranks, other.found.ranks]),
            np.concatenate([self.found.codes, other.found.codes]),
        )
        right = np.concatenate([self.right, other.right])
        return Labelled(found, right, self.question_count + other.question_count)

    def half(self, odd: int) -> Labelled:
        """Return every second question."""
        which = self.found.questions % 2 == odd
        found = Candidates(self.found.questions[which], self.found.ranks[which], self.found.codes[which])
        return Labelled(found, self.right[which], self.question_count)


@dataclass(frozen=True)
class Fit:
    """A conditional logit under way: which grades each candidate has, and which candidates belong to one question."""

    columns: Sequence[npt.NDArray[np.int64]]
    log_rank: Floats
    first: npt.NDArray[np.int64]
    group: npt.NDArray[np.int64]
    right: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, labelled: Labelled) -> Fit:
        found, right = labelled.found, labelled.right
        order = np.argsort(found.questions, kind="stable")
        questions = found.questions[order].astype(np.int64)
        first = np.flatnonzero(np.diff(questions, prepend=-1))
        grades = grades_of(found.codes[order])
        offsets = np.cumsum([0, *(len(names) for names in GRADES.values())])
        columns = [grades[:, number] + offsets[number] for number in range(len(GRADES))]
        group = np.repeat(np.arange(len(first)), np.diff(first, append=len(order)))
        return cls(columns, np.log(found.ranks[order].astype(np.float64)), first, group, right[order])

    def chances(self, beta: Floats) -> tuple[Floats, Floats]:
        """Return the chance of each candidate, and of none for each question. beta: of each grade, then of ln(rank) and none."""
        weight = sum(beta[column] for column in self.columns) + beta[-2] * self.log_rank
        top = np.maximum(np.maximum.reduceat(weight, self.first), beta[-1])
        odds, none = np.exp(weight - top[self.group]), np.exp(beta[-1] - top)
        total = np.add.reduceat(odds, self.first) + none
        return odds / total[self.group], none / total

    def slope(self, beta: Floats) -> Floats:
        """Return the gradient of the log-likelihood: that one of the right candidates, or none, is the answer."""
        chance, none = self.chances(beta)
        hit = np.add.reduceat(np.where(self.right, chance, 0), self.first)
        some = np.bitwise_or.reduceat(self.right, self.first)
        pull = np.where(self.right, chance / np.maximum(hit, 1e-12)[self.group], 0) - chance
        found = np.zeros_like(beta)
        for column in self.columns:
            found += np.bincount(column, pull, len(beta))
        found[-2], found[-1] = pull @ self.log_rank, (~some - none).sum()
        return found


def fitted(fit: Fit, prior: Floats, steps: int = 2000) -> Floats:
    """Return the weights that make the right answers most likely, near the prior where there is nothing to learn from (Adam)."""
    beta, mean, square = prior.copy(), np.zeros_like(prior), np.zeros_like(prior)
    for step in range(1, steps + 1):
        slope = fit.slope(beta) - 0.5 * (beta - prior)
        mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope**2
        rate = 0.1 * 0.001 ** (step / steps)
        beta = beta + rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-9)
    return beta


def calibration(score: Floats, right: npt.NDArray[np.bool_]) -> tuple[list[float], list[float]]:
    """Return knots (score, share right) of a rising line: means of pools of answers, made monotone (isotonic regression)."""
    order = np.argsort(score)
    score, hit = score[order], right[order].astype(float)
    edges = np.unique([0, *np.searchsorted(score, CALIBRATION_EDGES), len(score)])
    pools = [[score[a:b].mean(), (hit[a:b].sum() + 0.5) / (b - a + 0.51), float(b - a)] for a, b in pairwise(edges)]
    merged: list[list[float]] = []
    for pool in pools:
        merged.append(pool)
        while len(merged) > 1 and merged[-2][1] >= merged[-1][1]:
            (x, y, n), (u, v, m) = merged[-2], merged.pop()
            merged[-1] = [(x * n + u * m) / (n + m), (y * n + v * m) / (n + m), n + m]
    return [0.0, *(p[0] for p in merged), 1.0], [0.0, *(p[1] for p in merged), merged[-1][1]]


def synthetic_labelled(world: World) -> Labelled:
    """Return the candidates of a world's questions, spoilt further."""
    asked, truth = QuestionFile(world.questions).named(), world.truth()[:FITTED_MAX]
    some = Named(*(column[:FITTED_MAX] for column in (asked.titles, asked.credits, asked.duration_ms, asked.isrcs)))
    named, truth = spoilt(some, truth, np.random.default_rng(SPOILING_SEED))
    found = scan(world.snapshot, Asked(named), 2, lambda rows: None)
    return Labelled(found, world.recordings()[found.ranks] == truth[found.questions], len(truth))


def real_labelled(scratch: Path) -> Labelled:
    """Return the candidates of the starter catalogue's rows written wrongly, every tenth of which is not in the snapshot."""
    rows = real_rows()
    kept, truth = without_some(rows)
    snapshot = write_snapshot(scratch, kept)
    asked = [noise.spoilt(row) for noise in map(Noise, REAL_SEEDS) for row in rows]
    truth = np.tile(truth, len(REAL_SEEDS))
    named, truth = spoilt(named_rows(asked), truth, np.random.default_rng(SPOILING_SEED))
    found = scan(snapshot, Asked(named), 2, lambda rows: None)
    return Labelled(found, found.ranks == truth[found.questions], len(truth))


def fit_weights(world: World, scratch: Path) -> str:
    """Return the source of weights.py: fitted on one half of the questions, calibrated on the other."""
    labelled = synthetic_labelled(world).joined(real_labelled(scratch))
    prior = np.array([*(w for name in GRADES for w in WEIGHTS[name]), -RANK_WEIGHT, NONE_WEIGHT])
    beta = fitted(Fit.of(labelled.half(0)), prior)
    other = Fit.of(labelled.half(1))
    chance, _ = other.chances(beta)
    # as `best_answers` does: the heaviest, with all names of its recording
    best = np.lexsort((-chance, other.group))[other.first]
    same = other.log_rank == other.log_rank[best][other.group]
    score = np.add.reduceat(np.where(same, chance, 0), other.first)
    return _source(beta, calibration(score, other.right[best]), labelled.question_count)


def _source(beta: Floats, knots: tuple[list[float], list[float]], question_count: int) -> str:
    lines = ['"""What each grade weighs, as `python -m bench.match fit` prints it: see docs/decisions/match.md.', ""]
    lines += [f"Fitted on {question_count:,} questions about a synthetic catalogue (seed {WORLD_SEED}) and the starter catalogue,"]
    lines += [
        f"seeds {QUESTION_SEED}, {SPOILING_SEED} and {REAL_SEEDS.start} to {REAL_SEEDS.stop - 1}; one half for the weights,",
        "the other for the calibration.",
        '"""',
        "",
    ]
    lines.append("WEIGHTS: dict[str, tuple[float, ...]] = {")
    at = 0
    for name, grades in GRADES.items():
        lines.append(f'    "{name}": ({", ".join(f"{w:.2f}" for w in beta[at : at + len(grades)])}),')
        at += len(grades)
    lines += ["}", '"""Of each grade of `weighing.GRADES`, in order."""', f"RANK_WEIGHT = {-beta[-2]:.3f}"]
    lines += ['"""What is taken off for each unit of ln(rank): what is heard more is asked for more."""']
    lines += [f"NONE_WEIGHT = {beta[-1]:.2f}", "CALIBRATION: tuple[tuple[float, ...], tuple[float, ...]] = ("]
    lines += [f"    ({', '.join(f'{value:.6g}' for value in values)})," for values in knots]
    lines += [")", '"""Raw scores, and the share of answers with such a score that was right."""']
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.match", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("world", "measure", "fit"):
        command = commands.add_parser(name)
        if name == "world":
            command.add_argument("tracks", type=int)
        command.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    if options.command == "world":
        make_world(options.tracks, options.folder)
    elif options.command == "measure":
        for name, value in measure(World(options.folder)).items():
            print(f"{name:14} {value:,.4f}")
    else:
        with tempfile.TemporaryDirectory() as scratch:
            print(fit_weights(World(options.folder), Path(scratch)), end="")


if __name__ == "__main__":
    main()
