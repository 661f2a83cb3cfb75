"""What each chart shows, in words, from its figures. Every function returns a sentence or two about one chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fonoteca.catalogue.charts.coverage import price
from fonoteca.catalogue.charts.look import large, odds, percent
from fonoteca.catalogue.charts.shapes import DURATION_S_SHOWN, duration_peaks, licence_names
from fonoteca.catalogue.statistics import (
    ARTISTS_BY_POPULARITY,
    DURATIONS,
    GENRES,
    ISRCS,
    LICENCES,
    POPULARITY,
    RELEASE_SIZES,
    YEARS,
    Figures,
    Statistics,
)

NAMES_SAID = 3


def tracks(statistics: Statistics) -> str:
    """Return where most tracks are."""
    bins = statistics.tables[POPULARITY].records()
    if not bins:
        return "No recording here names its artist."
    fullest = max(bins, key=lambda row: int(row["tracks"]))
    unheard = statistics.recording_count - statistics.heard_count
    text = (
        f"Most tracks are heard little: the highest bar, {large(fullest['tracks'])} tracks, stands where each has between "
        f"{odds(fullest['share_from'])} and {odds(fullest['share_to'])} of all listening."
    )
    if not unheard:
        return text
    part = percent(unheard / statistics.recording_count)
    return f"{text} No source has heard {part} of tracks ({large(unheard)}); they have an estimated share, not none."


def tracks_log(statistics: Statistics) -> str:
    """Return what the log scale shows at the ends."""
    bins = statistics.tables[POPULARITY].records()
    top = bins[-1]
    return (
        f"The same on a log scale, which shows the few at the right: {_many(top['tracks'], 'track')} "
        f"with {odds(top['share_from'])} of all listening or more each, of {large(statistics.recording_count)} in all."
    )


def listening(statistics: Statistics) -> str:
    """Return where most listening is."""
    bins = statistics.tables[POPULARITY].records()
    fullest = max(bins, key=lambda row: float(row["listening"]))
    half = _share_above_half(bins)
    return (
        "Listening by the popularity of the track that is heard. The highest bar carries "
        f"{percent(fullest['listening'])} of all listening by {_many(fullest['tracks'], 'track')}; "
        f"half of all listening goes to tracks with {odds(half)} of it or more each."
    )


def listening_log(statistics: Statistics) -> str:
    """Return how little the tail carries."""
    bins = statistics.tables[POPULARITY].records()
    tail = bins[: len(bins) - len(_head(bins, 0.9))]
    if not tail:
        return "The same on a log scale."
    tracks_there, carried = sum(row["tracks"] for row in tail), sum(row["listening"] for row in tail)
    return (
        f"The same on a log scale. The {len(tail)} bars on the left, "
        f"{percent(tracks_there / statistics.recording_count)} of tracks, carry {percent(carried)} of all listening between them."
    )


def artists(statistics: Statistics) -> str:
    """Return where most artists are."""
    bins = statistics.tables[ARTISTS_BY_POPULARITY].records()
    fullest = max(bins, key=lambda row: int(row["artists"]))
    between = f"{odds(fullest['share_from'])} and {odds(fullest['share_to'])}"
    return (
        "Artists by the share of all listening that their recordings have together. The highest bar, "
        f"{large(fullest['artists'])} of {large(statistics.artist_count)} artists' names, stands between {between}."
    )


def artists_log(statistics: Statistics) -> str:
    """Return how few carry half."""
    bins = statistics.tables[ARTISTS_BY_POPULARITY].records()
    if not bins:
        return "The same on a log scale."
    top, carried = 0, 0.0
    for row in reversed(bins):
        top, carried = top + row["artists"], carried + row["listening"]
        if carried >= 0.5:
            break
    return f"The same on a log scale. The {large(top)} artists on the right carry {percent(min(1.0, carried))} of all listening."


def coverage(statistics: Statistics) -> str:
    """Return what shares of listening cost in recordings."""
    points = statistics.coverage.points
    words = ", ".join(
        f"{percent(mark)} of listening takes {percent(price(points, mark))} of recordings" for mark in (0.5, 0.9, 0.99)
    )
    shown = any((p.listening_low, p.listening_high) != (0.0, 1.0) for p in points)
    return f"Holding the most heard first, {words}." + (" The band is the 90 % interval." if shown else "")


def coverage_log(statistics: Statistics) -> str:
    """Return where the archive stands."""
    found = statistics.coverage
    if not found.held_count:
        return "The same with recordings by powers of ten, which shows the head. The archive holds none of them."
    return (
        "The same with recordings by powers of ten, which shows the head. The archive holds "
        f"{large(found.held_count)} recordings, {percent(found.held_share)} of listening "
        f"(90 % interval {percent(found.held_share_low)} to {percent(found.held_share_high)})."
    )


def held(statistics: Statistics) -> str:
    """Return how much of the head and of the tail is held."""
    bins = statistics.tables[POPULARITY].records()
    head = _head(bins, 0.5)
    tail = bins[: len(bins) - len(head)]
    if not statistics.coverage.held_count:
        return "Nothing is held yet: no track of any popularity."
    words = f"Of the {large(sum(r['tracks'] for r in head))} tracks that carry half of all listening, {_held_part(head)} are held"
    return f"{words}; of the other {large(sum(r['tracks'] for r in tail))}, {_held_part(tail)}." if tail else f"{words}."


def durations(statistics: Statistics) -> str:
    """Return the middle and the peaks."""
    table = statistics.tables[DURATIONS]
    known = [(s, n) for s, n in table.rows if s is not None]
    unknown = sum(n for s, n in table.rows if s is None)
    if not known:
        return "No duration is known."
    middle = _median(known)
    text = f"Half of all tracks of known duration last less than {_minutes(middle + 1)} minutes."
    peaks = [_minutes(second) for second, _ in duration_peaks(table)]
    if peaks:
        text += f" More tracks than around them last {_listed(peaks)}."
    longer = sum(n for s, n in known if s >= DURATION_S_SHOWN)
    text += f" Not in the picture: {large(longer)} tracks of ten minutes and more" if longer else ""
    if unknown:
        text += f"{' and' if longer else ' Not in the picture:'} {large(unknown)} of unknown duration"
    return text + ("." if longer or unknown else "")


def isrcs(statistics: Statistics) -> str:
    """Return how many ISRCs are on several rows."""
    table = statistics.tables[ISRCS]
    total = sum(n for _, n in table.rows)
    if not total:
        return "No ISRC is known."
    several = sum(n for copies, n in table.rows if copies > 1)
    most = max(copies for copies, _ in table.rows)
    counted = f" One ISRC in {statistics.isrc_sample} was counted, with all its rows." if statistics.isrc_sample > 1 else ""
    return (
        f"{percent(several / total)} of {large(total)} ISRCs are on more than one row, rows that became part of a recording among "
        f"them; the one on most is on {most}.{counted} The scale is logarithmic."
    )


def years(statistics: Statistics) -> str:
    """Return the busiest year."""
    table = statistics.tables[YEARS].records()
    known = [row for row in table if row["year"] is not None]
    if not known:
        return "No release has a year."
    busiest = max(known, key=lambda row: int(row["releases"]))
    unknown = sum(row["releases"] for row in table if row["year"] is None)
    total = sum(row["releases"] for row in table)
    middle = _median([(row["year"], row["releases"]) for row in known])
    text = f"The year with most releases is {busiest['year']} ({large(busiest['releases'])}); half are of {middle} or later."
    return f"{text} {percent(unknown / total)} have no year." if unknown else text


def sizes(statistics: Statistics) -> str:
    """Return the usual sizes."""
    table = statistics.tables[RELEASE_SIZES]
    if not table.rows:
        return "No release is known."
    total = sum(n for _, n in table.rows)
    single = sum(n for tracks, n in table.rows if tracks == 1)
    average = statistics.recording_count / total
    return (
        f"{percent(single / total)} of {large(total)} releases have one track, half have {_median(table.rows)} or fewer; "
        f"there are {average:.1f} recordings to a release."
    )


def genres(statistics: Statistics) -> str:
    """Return the most frequent genres."""
    return _names(statistics.tables[GENRES], {}, "genre")


def licences(statistics: Statistics) -> str:
    """Return the most frequent licences."""
    table = statistics.tables[LICENCES]
    text = _names(table, licence_names(table.column("name")), "licence")
    return f"{text} Only a licence that is named can allow a track to be held."


def _names(table: Figures, shown: dict[str, str], what: str) -> str:
    rows = table.records()
    total = sum(row["tracks"] for row in rows)
    named = [row for row in rows if not row["rest"]]
    none = sum(row["tracks"] for row in rows if row["rest"] == "none")
    if not named:
        return f"No source names a {what}."
    said = [f"{shown.get(row['name'], row['name'])} ({percent(row['tracks'] / total)} of tracks)" for row in named[:NAMES_SAID]]
    text = f"Most frequent: {_listed(said)}."
    return f"{text} {percent(none / total)} have none." if none else text


def _head(bins: Sequence[dict[str, Any]], share: float) -> list[dict[str, Any]]:
    """Return the fewest steps from the most heard down that carry a share of listening."""
    found, carried = [], 0.0
    for row in reversed(bins):
        found.append(row)
        carried += row["listening"]
        if carried >= share:
            break
    return found[::-1]


def _share_above_half(bins: Sequence[dict[str, Any]]) -> float:
    return float(_head(bins, 0.5)[0]["share_from"])


def _held_part(bins: Sequence[dict[str, Any]]) -> str:
    return percent(sum(row["held"] for row in bins) / sum(row["tracks"] for row in bins))


def _median(counted: Sequence[tuple[Any, ...]]) -> int:
    """Return the value at which half of the counts are reached. counted: (value, count) in order of value."""
    total, reached = sum(count for _, count in counted), 0
    for value, count in counted:
        reached += count
        if 2 * reached >= total:
            return int(value)
    return 0


def _minutes(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02}"


def _many(count: int, noun: str) -> str:
    return f"one {noun}" if count == 1 else f"{large(count)} {noun}s"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
