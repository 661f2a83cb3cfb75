"""Every chart of a snapshot: its name, its table, how it is drawn, and what it shows in words that come from the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fonoteca.catalogue.charts import wording
from fonoteca.catalogue.charts.coverage import coverage_chart
from fonoteca.catalogue.charts.look import Heading, Layered, Look
from fonoteca.catalogue.charts.popularity import Steps, held_chart, steps_chart
from fonoteca.catalogue.charts.shapes import Bars, bars_chart, durations_chart, licence_names, names_chart
from fonoteca.catalogue.statistics import (
    ARTISTS_BY_POPULARITY,
    COVERAGE,
    DURATIONS,
    GENRES,
    ISRCS,
    LICENCES,
    POPULARITY,
    RELEASE_SIZES,
    YEARS,
    Statistics,
)

COPIES_SHOWN, SIZES_SHOWN = 30, 40


@dataclass(frozen=True, slots=True)
class ChartKind:
    """One chart. table: of the statistics, behind it. draw: its picture. caption: what it shows, in words."""

    title: str
    table: str
    draw: Callable[[Statistics, Look], Layered]
    caption: Callable[[Statistics], str]


def _heading(title: str, statistics: Statistics, listening: bool, size: str = "") -> Heading:
    """Return the lines above a chart. listening: whether it shows any, of which it must be said when it is made up or unknown."""
    size = size or f"{statistics.recording_count:,} recordings"
    if listening and not statistics.coverage.heard:
        return Heading(title, f"No listening is known: every recording counts the same. {size}", True)
    if statistics.synthetic:
        return Heading(title, f"Synthetic: made up, not measured. {size}", True)
    return Heading(title, size, False)


_TRACKS = Steps({"tracks": "never heard: share estimated", "heard": "heard"}, "tracks", False, "a track's")
_LISTENING = Steps({"listening": ""}, "share of all listening", True, "a track's")
_ARTISTS = Steps({"artists": ""}, "artists", False, "an artist's")


def _by_popularity(steps: Steps, table: str, title: str, log_scale: bool) -> Callable[[Statistics, Look], Layered]:
    def draw(statistics: Statistics, look: Look) -> Layered:
        size = f"{statistics.artist_count:,} artists" if steps is _ARTISTS else ""
        return steps_chart(statistics.tables[table], steps, log_scale, _heading(title, statistics, True, size), look)

    return draw


def _coverage(log_scale: bool) -> Callable[[Statistics, Look], Layered]:
    return lambda statistics, look: coverage_chart(statistics.coverage, log_scale, look)


def _bars(table: str, bars: Bars, title: str, log_scale: bool) -> Callable[[Statistics, Look], Layered]:
    def draw(statistics: Statistics, look: Look) -> Layered:
        size = f"{statistics.release_count:,} releases" if bars.y == "releases" else ""
        return bars_chart(statistics.tables[table], bars, log_scale, _heading(title, statistics, False, size), look)

    return draw


def _durations(statistics: Statistics, look: Look) -> Layered:
    return durations_chart(statistics.tables[DURATIONS], _heading("How long are tracks?", statistics, False), look)


def _held(statistics: Statistics, look: Look) -> Layered:
    return held_chart(statistics.tables[POPULARITY], _heading("How much is held, by popularity?", statistics, True), look)


def _genres(statistics: Statistics, look: Look) -> Layered:
    return names_chart(statistics.tables[GENRES], {}, _heading("Genres, as sources name them", statistics, True), look)


def _licences(statistics: Statistics, look: Look) -> Layered:
    table = statistics.tables[LICENCES]
    return names_chart(table, licence_names(table.column("name")), _heading("Licences", statistics, True), look)


_COPIES = Bars("rows", "isrcs", "rows that carry the same ISRC", "ISRCs", COPIES_SHOWN)
_YEARS = Bars("year", "releases", "year", "releases", 9999, trimmed=True)
_SIZES = Bars("tracks", "releases", "tracks", "releases", SIZES_SHOWN)
_TRACKS_TITLE, _LISTENING_TITLE, _ARTISTS_TITLE = "Tracks by popularity", "Listening by popularity", "Artists by popularity"

CHARTS: Mapping[str, ChartKind] = {
    "tracks": ChartKind(_TRACKS_TITLE, POPULARITY, _by_popularity(_TRACKS, POPULARITY, _TRACKS_TITLE, False), wording.tracks),
    "tracks-log": ChartKind(
        f"{_TRACKS_TITLE}, log scale",
        POPULARITY,
        _by_popularity(_TRACKS, POPULARITY, f"{_TRACKS_TITLE}, log scale", True),
        wording.tracks_log,
    ),
    "listening": ChartKind(
        _LISTENING_TITLE, POPULARITY, _by_popularity(_LISTENING, POPULARITY, _LISTENING_TITLE, False), wording.listening
    ),
    "listening-log": ChartKind(
        f"{_LISTENING_TITLE}, log scale",
        POPULARITY,
        _by_popularity(_LISTENING, POPULARITY, f"{_LISTENING_TITLE}, log scale", True),
        wording.listening_log,
    ),
    "artists": ChartKind(
        _ARTISTS_TITLE,
        ARTISTS_BY_POPULARITY,
        _by_popularity(_ARTISTS, ARTISTS_BY_POPULARITY, _ARTISTS_TITLE, False),
        wording.artists,
    ),
    "artists-log": ChartKind(
        f"{_ARTISTS_TITLE}, log scale",
        ARTISTS_BY_POPULARITY,
        _by_popularity(_ARTISTS, ARTISTS_BY_POPULARITY, f"{_ARTISTS_TITLE}, log scale", True),
        wording.artists_log,
    ),
    "coverage": ChartKind("Coverage", COVERAGE, _coverage(False), wording.coverage),
    "coverage-log": ChartKind("Coverage, log scale", COVERAGE, _coverage(True), wording.coverage_log),
    "held": ChartKind("Share held by popularity", POPULARITY, _held, wording.held),
    "durations": ChartKind("Durations", DURATIONS, _durations, wording.durations),
    "isrc-copies": ChartKind(
        "Copies per ISRC", ISRCS, _bars(ISRCS, _COPIES, "How many rows carry the same ISRC?", True), wording.isrcs
    ),
    "years": ChartKind("Releases by year", YEARS, _bars(YEARS, _YEARS, "Releases by year", False), wording.years),
    "release-sizes": ChartKind(
        "Tracks per release", RELEASE_SIZES, _bars(RELEASE_SIZES, _SIZES, "How many tracks has a release?", False), wording.sizes
    ),
    "genres": ChartKind("Genres", GENRES, _genres, wording.genres),
    "licences": ChartKind("Licences", LICENCES, _licences, wording.licences),
}
"""Name to chart, in the order of the page. The name is that of its files."""
