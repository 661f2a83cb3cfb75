"""What listeners of an archive heard is listening of its catalogue, once enough of them heard it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pyarrow.parquet import read_table
from wiring_world import Quiet, archive_in, put_item, take

from fonoteca.flows.catalogue import import_listening, refresh
from fonoteca.model.catalogue import Snapshot
from fonoteca.people.personal import Hearer, Scrobble, Song
from fonoteca.wiring import Archive, catalogue_rooms

SOURCE = "own-listeners"


def built(archive: Archive) -> tuple[Snapshot, dict[str, tuple[int, int]]]:
    """Return what `catalogue build` makes: the snapshot, and listens and listeners of what was heard."""
    rooms = catalogue_rooms(archive, Quiet())
    import_listening(rooms)
    snapshot = refresh(rooms)
    table = read_table(archive.folder / "catalogue" / snapshot.name / "recordings" / "00000.parquet").to_pylist()
    return snapshot, {str(row["id"]): (row["listens"], row["listeners"]) for row in table if row["listens"]}


def test_enough_listeners_make_a_source_of_their_own_and_few_none(tmp_path: Path) -> None:
    with archive_in(tmp_path / "archive") as archive:
        for name in ("one", "two"):
            take(archive, put_item(tmp_path / "items", name))
        first, second = [track.recording for track in archive.register.held_tracks()][:2]
        assert built(archive)[1] == {}
        assert not (archive.folder / "people.sqlite").exists(), "nobody has an account"
        listening = archive.people.personal.listening
        people = [archive.people.add(f"listener {number}", "four words of mine") for number in range(5)]
        now = archive.clock.now()
        for number, account in enumerate(people):
            heard = [Scrobble(Song(1, "0" * 12), first, now), Scrobble(Song(1, "0" * 12), first, now - timedelta(hours=1))]
            if number:
                heard.append(Scrobble(Song(2, "0" * 12), second, now))
            listening.add(Hearer(account.number, 30), heard, "opensubsonic")
        snapshot, found = built(archive)
        assert found == {first: (10, 5)}, "four heard the second, and are told of to nobody"
        [source] = [source for source in snapshot.sources if source.name == SOURCE]
        assert (source.row_count, source.licence, source.synthetic) == (1, "", False)
        assert built(archive)[0] == snapshot, "nothing new is no new snapshot"
        archive.people.remove(people[0].number)
        assert built(archive)[1] == {first: (10, 5)}, "counts are nobody's"
        archive.settings = replace(archive.settings, people=replace(archive.settings.people, listeners_least=6))
        snapshot, found = built(archive)
        assert found == {}
        assert [source.row_count for source in snapshot.sources if source.name == SOURCE] == [0]
        files = [path.read_bytes() for path in (archive.folder / "catalogue").rglob("*") if path.is_file()]
        assert not any(b"listener 1" in content for content in files)
