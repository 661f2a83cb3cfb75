"""An archive taken through a disaster: what a backup is made of, and an archive made of a backup."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fonoteca.edges.disk_calls import in_words
from fonoteca.edges.disk_lock import left_by_a_kill
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.flows.backup import BackupRooms, Restored, Unpacked, is_newer
from fonoteca.flows.doctor import Disk, DoctorRooms
from fonoteca.formats.backuptar import PARTS
from fonoteca.formats.claim import CLAIM_FILE
from fonoteca.formats.settings import FILE_NAME, parse_settings
from fonoteca.gatehouse import PEOPLE_FILE, has_people
from fonoteca.model.errors import UsageError
from fonoteca.ports import Progress
from fonoteca.wiring import LOCK_FILE, Archive, making, output_file


def backup_rooms(archive: Archive, progress: Progress) -> BackupRooms:
    """Return what a backup needs."""
    return BackupRooms(
        name=archive.settings.name,
        home=archive.blobs("."),
        parts={part: archive.blobs(part) for part in PARTS},
        store=archive.store,
        store_blobs=archive.blobs("store"),
        register=archive.register,
        people=archive.people,
        staging=archive.staging,
        clock=archive.clock,
        progress=progress,
    )


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """Give a stream for a file outside any archive that only its owner may read; it is there, whole, when the context ends well."""
    with output_file(path) as unfinished, DiskStaging(unfinished.parent).writer(unfinished) as stream:
        unfinished.chmod(0o600)
        yield stream


def restore_archive(backup: Path, folder: Path) -> Restored:
    """Make the archive of a backup in a folder that is new, empty, or has nothing but a store that outlived its machine.

    Raises: UsageError when the folder is an archive or holds something else; FormatError when the backup is not whole, and then
    nothing was restored. Killed, it may be run again.
    """
    if not backup.is_file():
        raise UsageError(str(backup), "no such file", "Name a file that `fonoteca backup` made.")
    with making(folder) as home, in_words(backup), backup.open("rb") as stream:
        staging = DiskStaging(folder / "staging")
        unfinished = staging.folder("restore")
        unfinished.chmod(0o700)  # it has the keys
        with Unpacked(stream, str(backup), staging, unfinished) as unpacked:
            for key in (unfinished / "keys").rglob("*"):
                key.chmod(0o700 if key.is_dir() else 0o600)
            settings = unpacked.settings(FILE_NAME)
            if settings is None:
                raise UsageError(str(backup), f"it has no {FILE_NAME}", "Use another backup.")
            claim = unpacked.settings(CLAIM_FILE)
            if claim is not None:
                home.write(CLAIM_FILE, claim)
            archive = Archive(folder, parse_settings(settings.decode("utf-8", "replace")))
            try:
                unpacked.put_parts({part: archive.blobs(part) for part in PARTS}, home)
                archive.store.initialise()
                archive.claim()
                newer = is_newer(archive.store, unpacked)
                unpacked.adopt_documents(archive.store)
                events = unpacked.append_log(archive.store)
                unpacked.fill_people(archive.people)
                unpacked.fill(archive.register)
                _ = archive.evidence
            finally:
                archive.close()
            home.write(FILE_NAME, settings)
            return Restored(unpacked.about, unpacked.counts, events, newer)


def doctor_rooms(archive: Archive) -> DoctorRooms:
    """Return what a doctor looks at. Nothing is opened for writing, and nothing is cleared up."""

    def current() -> tuple[str | None, str | None]:
        snapshot = archive.catalogue.snapshot()
        return snapshot.name if snapshot else None, archive.search.snapshot()

    return DoctorRooms(
        settings=archive.settings,
        clock=archive.clock,
        disk=lambda: _disk_of(archive.folder),
        store=lambda: archive.store,
        claim=lambda: archive.store.claim(archive.identity()),
        register=lambda: archive.register,
        editions=archive.editions,
        current=current,
        people=lambda: archive.people if has_people(archive.folder) else None,
    )


def _disk_of(folder: Path) -> Disk:
    with in_words(folder):
        usage = shutil.disk_usage(folder)
        staged = sum(path.lstat().st_size for path in (folder / "staging").rglob("*") if not path.is_dir())
        private = (*(folder / "keys").rglob("*"), *folder.glob(f"{PEOPLE_FILE}*"))
        loose = [path for path in private if path.is_file() and path.stat().st_mode & 0o077]
        return Disk(
            free_bytes=usage.free,
            disk_bytes=usage.total,
            staging_bytes=staged,
            killed=left_by_a_kill(folder / LOCK_FILE),
            loose_keys=tuple(sorted(path.relative_to(folder).as_posix() for path in loose)),
        )
