"""Make the starter catalogue in src/fonoteca/starter from a copy of freemusi.cc-database.

    python tools/make_starter.py FOLDER [TARGET]

FOLDER holds tracks.csv, releases.csv and LICENSE. The result is the same to the byte for the same input: rows sorted by
natural key, line feeds, UTF-8. What was changed and left out is counted, printed, and written into the README that travels along.
"""

from __future__ import annotations

import csv
import io
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

COLUMNS = (
    "recording",
    "title",
    "artist",
    "release",
    "release_id",
    "disc",
    "track",
    "year",
    "duration_s",
    "licence",
    "source",
    "genre",
)
MENDS_MAX = 3
"""Text in the source was misread once, and once twice over; more rounds than this would be a fault of ours."""

_TARGET = Path(__file__).resolve().parents[1] / "src" / "fonoteca" / "starter"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the starter catalogue; fields as in COLUMNS, all text."""

    recording: str
    title: str
    artist: str
    release: str
    release_id: str
    disc: str
    track: str
    year: str
    duration_s: str
    licence: str
    source: str
    genre: str


@dataclass(frozen=True, slots=True)
class Starter:
    """The rows kept, and what was done to them: name of the change to its count of rows; reasons to the rows left out."""

    rows: tuple[Row, ...]
    source_count: int
    changes: Mapping[str, int]
    left_out: Mapping[str, int]


def _misread_bytes(text: str) -> bytes | None:
    """Return the bytes that a reader took for Windows-1252 (with Latin-1 where that has no character), or None."""
    content = bytearray()
    for character in text:
        try:
            content += character.encode("cp1252")
        except UnicodeEncodeError:
            if ord(character) > 0xFF:
                return None
            content.append(ord(character))
    return bytes(content)


def _reread(text: str) -> str | None:
    """Return the text read as UTF-8 after all, or None when that is not exact or not plausible."""
    if text.isascii():
        return None
    content = _misread_bytes(text)
    if content is None:
        return None
    try:
        mended = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    misread_again = "".join(_as_misread(b) for b in mended.encode("utf-8"))
    return mended if misread_again == text and mended != text else None


def _as_misread(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


def _plausible(text: str) -> bool:
    """Whether no character is a control, unassigned, private or a replacement: what a wrong mend would leave behind."""
    return all(unicodedata.category(c) not in ("Cc", "Cn", "Co", "Cs") and c != "\ufffd" for c in text)


def mend(text: str) -> str:
    """Return text whose UTF-8 was read as Windows-1252 or Latin-1 as it was meant, any other text as it is.

    A text is changed only when the round trip is exact (read wrongly again, the mended text gives the input) and the
    result has no character that a name cannot have. Text misread several times over is mended as often.
    """
    mended = text
    for _ in range(MENDS_MAX):
        reread = _reread(mended)
        if reread is None:
            break
        mended = reread
    return mended if _plausible(mended) else text


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _fault(row: Row) -> str:
    """Return why a row cannot be mended, "" for a sound one."""
    if not row.title:
        return "the title is empty"
    if not row.artist:
        return "the artist is empty, and the release is a compilation"
    if not _plausible(row.title + row.artist + row.release):
        return "a name has characters that no name has"
    if not 0 < int(row.duration_s) < 24 * 3600:
        return "the duration is not between 1 s and a day"
    return ""


def _row(track: Mapping[str, str], release: Mapping[str, str], url_counts: Mapping[str, int]) -> Row:
    url = track["trackurl"].strip()
    shared = url_counts[track["trackurl"]] > 1
    return Row(
        recording=f"{release['id']}/{int(track['disc'])}-{int(track['track']):02}",
        title=_tidy(mend(track["title"])),
        artist=_tidy(mend(track["trackartist"])),
        release=_tidy(mend(release["album"])),
        release_id=release["id"],
        disc=str(int(track["disc"])),
        track=str(int(track["track"])),
        year=str(int(release["year"])),
        duration_s=str(int(track["duration"])),
        licence=release["licenseurl"].strip(),
        source=release["url"].strip() if shared else url,
        genre=_tidy(release["genre"]),
    )


def _with_keys(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Give rows that share a release, disc and track number different keys: the second, by title and artist, gets `-2`."""
    keyed: list[Row] = []
    seen: Counter[str] = Counter()
    for row in sorted(rows, key=lambda r: (r.recording, r.title, r.artist, r.source)):
        seen[row.recording] += 1
        count = seen[row.recording]
        keyed.append(row if count == 1 else replace(row, recording=f"{row.recording}-{count}"))
    return tuple(sorted(keyed, key=lambda r: r.recording))


def make_starter(folder: Path) -> Starter:
    """Return the starter catalogue made from tracks.csv and releases.csv in the folder."""
    releases = {r["id"]: r for r in _read(folder / "releases.csv")}
    tracks = _read(folder / "tracks.csv")
    # A track's own address is trusted only where no other track of the source claims the same.
    url_counts = Counter(t["trackurl"] for t in {tuple(sorted(t.items())): t for t in tracks}.values())
    changes: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    rows: dict[tuple[str, ...], Row] = {}
    for track in tracks:
        release = releases.get(track["id"])
        if release is None:
            left_out["its release is not in the source"] += 1
            continue
        row = _row(track, release, url_counts)
        identity = (row.recording, row.title, row.artist)
        fault = "it repeats another row's release, disc, track, title and artist" if identity in rows else _fault(row)
        if fault:
            left_out[fault] += 1
            continue
        rows[identity] = row
        changes["track title or artist mended (UTF-8 that was read as Windows-1252 or Latin-1)"] += (
            mend(track["title"]) != track["title"] or mend(track["trackartist"]) != track["trackartist"]
        )
        changes["release title mended likewise"] += mend(release["album"]) != release["album"]
        changes["address of the release given, because several tracks claimed the same file"] += url_counts[track["trackurl"]] > 1
    keyed = _with_keys(rows.values())
    changes["key numbered, because another track has the same disc and track number"] = sum(
        r.recording.count("-") > f"{r.release_id}/{r.disc}-{r.track}".count("-") for r in keyed
    )
    return Starter(keyed, len(tracks), dict(changes), dict(left_out))


def to_csv(starter: Starter) -> str:
    """Return tracks.csv: one row a recording, key `recording`, in ascending order of it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([getattr(row, column) for column in COLUMNS] for row in starter.rows)
    return stream.getvalue()


README = """\
# Starter catalogue

`tracks.csv`: {row_count:,} recordings on {release_count:,} releases, with the licences that the source names, nearly all
Creative Commons, and the addresses of their hosts. One row a recording, in order of its key `recording`
(`<release_id>/<disc>-<track>`).
For {licenceless_count:,} rows the source names no licence, and `licence` is empty. No row says how much it is heard.

## Origin, licence and attribution
Made from [freemusi.cc-database](https://github.com/ojdo/freemusi.cc-database) by ojdo, "years of curating and rating Creative
Commons music" recovered from freemusi.cc, under the
[Creative Commons Attribution-ShareAlike 4.0 International](https://creativecommons.org/licenses/by-sa/4.0/) licence
(see `LICENSE`). This adaptation is under the same licence. The recordings have licences of their own, named row by row.

## Changes made
About half of the source's releases are used: {source_count:,} tracks. Tracks and releases were joined; activity, rating, label,
catalogue number and style were left out; runs of white space became one space. Rows changed:
{changes}

Rows left out, {left_out_count} in all:
{left_out}

`tools/make_starter.py` makes these files, the same to the byte for the same input.
"""


def to_readme(starter: Starter) -> str:
    """Return the README: origin, licence, attribution, and every change with its count."""
    return README.format(
        row_count=len(starter.rows),
        release_count=len({r.release_id for r in starter.rows}),
        licenceless_count=sum(not r.licence for r in starter.rows),
        source_count=starter.source_count,
        changes="\n".join(f"- {count:,}: {what}" for what, count in starter.changes.items()),
        left_out="\n".join(f"- {count:,}: {why}" for why, count in sorted(starter.left_out.items())),
        left_out_count=sum(starter.left_out.values()),
    )


MAPPING = """\
# How `fonoteca catalogue import table` reads tracks.csv.
name = "starter"
rows = "recordings"
licence = "https://creativecommons.org/licenses/by-sa/4.0/"
attribution = "freemusi.cc-database by ojdo (https://github.com/ojdo/freemusi.cc-database), CC BY-SA 4.0, changed"
# The source gives no date; the newest release in it is of this year.
date = "{date}"
synthetic = false

[columns]
key = "recording"
title = "title"
artist = "artist"
release = "release"
release_id = "release_id"
disc = "disc"
track = "track"
year = "year"
duration_s = "duration_s"
licence = "licence"
source_uri = "source"
genre = "genre"
"""


def main(arguments: list[str]) -> int:
    """Write the four files and print what was done."""
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    target = Path(arguments[1]) if len(arguments) == 2 else _TARGET
    starter = make_starter(folder)
    target.mkdir(parents=True, exist_ok=True)
    date = max(row.year for row in starter.rows)
    (target / "tracks.csv").write_text(to_csv(starter), encoding="utf-8", newline="\n")
    (target / "README.md").write_text(to_readme(starter), encoding="utf-8", newline="\n")
    (target / "mapping.toml").write_text(MAPPING.format(date=date), encoding="utf-8", newline="\n")
    (target / "LICENSE").write_bytes((folder / "LICENSE").read_bytes())
    print(to_readme(starter))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
