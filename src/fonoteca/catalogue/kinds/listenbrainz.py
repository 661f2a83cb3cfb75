"""Import of listens: ListenBrainz's dumps and popularity, and a person's own history from wherever they keep it.

What is kept are listens and listeners of each recording: by MBID, or by title and artist where there is none. Releases do not
tell them apart, for somebody who heard a song on two releases is one listener of it.
Who listened is never kept (`listening_files.ledger`), and rows that are set aside show time, artist, title and MBID only.

Sources: listenbrainz.readthedocs.io (Data Dumps, JSON Documentation), the code of listenbrainz-server for what they do not say,
and what each module of `listening_files` names. Each of ListenBrainz's dumps carries COPYING, a dedication to the public domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from fonoteca.catalogue.desk import Desk, Heading, Kind
from fonoteca.catalogue.duck import DuckSettings
from fonoteca.catalogue.listening_files.intake import DUMP, POPULARITY, Intake
from fonoteca.catalogue.listening_files.ledger import Ledger, nothing_sound
from fonoteca.model.errors import UsageError

CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
_ATTRIBUTIONS = {DUMP: "ListenBrainz, https://listenbrainz.org", POPULARITY: "ListenBrainz, https://listenbrainz.org"}
_OWN = "a listener's own history"
_DUCK = DuckSettings(memory_bytes_max=2 << 30)


def read(paths: Sequence[Path], desk: Desk) -> Heading:
    """Lay listens and listeners on the desk. Several files are one source: a history in parts, a dump and its increments."""
    if not paths:
        raise UsageError("listenbrainz", "no file was named", "Name a dump or a history of listens.")
    with closing(Ledger(desk, _DUCK)) as ledger:
        intake = Intake(desk, ledger)
        for number, path in enumerate(paths, 1):
            intake.take_file(path, f"file {number}")
        [name] = intake.names
        newest = ""
        if name != POPULARITY:
            newest = _lay_down(ledger, paths, desk)
        _note_counts(intake)
    licence = CC0 if name in _ATTRIBUTIONS and intake.public_domain else ""
    return Heading(name, max(intake.dates, default=newest), licence, _ATTRIBUTIONS.get(name, _OWN))


def _lay_down(ledger: Ledger, paths: Sequence[Path], desk: Desk) -> str:
    """Lay the counts down, and return the date of the newest listen."""
    if not ledger.plays:
        raise nothing_sound(str(paths[0]) if len(paths) == 1 else f"{len(paths)} files", ledger)
    with desk.progress.task("adding up listens", None):
        totals = ledger.lay_down()
    desk.note("listens", totals.listens)
    desk.note("listeners", totals.listeners)
    desk.note("repeated listens", totals.plays - totals.listens)
    desk.note("unfit mbids", totals.unfit_mbids)
    return totals.newest


def _note_counts(intake: Intake) -> None:
    for why, count in sorted(intake.ledger.left_out.items()):
        intake.desk.note(f"left out, {why}", count)
    if intake.without_counts:
        intake.desk.note("recordings without counts", intake.without_counts)
    if intake.passed_over:
        intake.desk.note("members passed over", intake.passed_over)


KIND = Kind(
    name="listenbrainz",
    about="listens or popularity of ListenBrainz, or a person's own history (Last.fm, Libre.fm, Maloja, Spotify, ...)",
    read=read,
)
