"""The accounts of an archive, in its folder or beside its register, and the key that closes players' secrets."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from fonoteca.edges.keys import KeyFolder, begin_private
from fonoteca.flows.evidence import EvidenceVault
from fonoteca.flows.notices import finish_decisions
from fonoteca.flows.withdraw import WithdrawRooms
from fonoteca.model.catalogue import Heard
from fonoteca.model.errors import TakenError, UsageError
from fonoteca.model.settings import FOLDER_STORE, SQLITE, Settings
from fonoteca.people import Account, People, Seal
from fonoteca.ports import Blobs, Clock, DurableCalls, Staging
from fonoteca.register import Register
from fonoteca.store import Store

PEOPLE_FILE = "people.sqlite"
SEAL_FILE = "accounts.key"
"""In the folder of keys. Machines that share a PostgreSQL have the same one, or players' secrets open on one of them alone."""


def open_people(folder: Path, settings: Settings, clock: Clock, calls: DurableCalls | None = None) -> People:
    """Return the accounts of an archive; their tables and key are made where they are missing. Raises: UsageError, StoreError."""
    if settings.register == SQLITE:
        begin_private(folder / PEOPLE_FILE)
    address = str(folder / PEOPLE_FILE) if settings.register == SQLITE else settings.register
    return People.open(address, clock, secrets.token_bytes, Seal(_seal_key(KeyFolder(folder / "keys", calls))), settings.notices)


def has_people(folder: Path) -> bool:
    """Return whether anybody ever had an account in an archive."""
    return SEAL_FILE in KeyFolder(folder / "keys").names()


def heard_here(folder: Path, settings: Settings, people: Callable[[], People]) -> list[Heard]:
    """Return what enough different accounts heard, after forgetting who heard what is older than its days. people: opens them.

    Nothing, and nothing is opened, where nobody ever had an account.
    """
    if not has_people(folder):
        return []
    listening, kept = people().personal.listening, settings.people
    listening.expire(kept.scrobbles_kept_days)
    return listening.heard(kept.listeners_least) if kept.listeners_least else []


class Keeping(Protocol):
    """An archive whose writer goes on with decisions about notices that a kill cut short."""

    folder: Path
    settings: Settings
    clock: Clock

    @property
    def staging(self) -> Staging:
        """Scratch space."""
        ...

    @property
    def store(self) -> Store:
        """The OCFL store."""
        ...

    @property
    def register(self) -> Register:
        """The record of what is held."""
        ...

    @property
    def people(self) -> People:
        """Who has an account."""
        ...

    @property
    def evidence(self) -> EvidenceVault:
        """Raw evidence."""
        ...

    def blobs(self, name: str) -> Blobs:
        """Return a folder of the archive."""
        ...


def withdraw_rooms(archive: Keeping) -> WithdrawRooms:
    """Return what withdrawing needs."""
    return WithdrawRooms(
        store=archive.store,
        register=archive.register,
        clock=archive.clock,
        blobs=archive.blobs(FOLDER_STORE),
        staging=archive.staging,
        policy=archive.settings.rights,
        evidence=archive.evidence,
        contact=archive.settings.editions.contact,
    )


def tend_notices(archive: Keeping) -> None:
    """Carry out what was decided about notices and cut short, and forget who sent what was settled long ago.

    Nothing is opened where nobody ever had an account or sent a notice.
    """
    if not has_people(archive.folder):
        return
    notices = archive.people.notices
    if notices.claimed():
        finish_decisions(withdraw_rooms(archive), notices)
    notices.expire()


def carry_people(folder: Path, settings: Settings, clock: Clock) -> list[Account]:
    """Return the accounts that were in `people.sqlite`, now in the database that the settings name, with all that they keep.

    Raises: UsageError when there are none to carry, or accounts in the database already; StoreError.
    """
    if settings.register == SQLITE:
        remedy = "Set `archive.register` to the new database first: see docs/many-machines.md."
        raise UsageError(PEOPLE_FILE, "it is where the settings say that accounts are", remedy)
    if not (folder / PEOPLE_FILE).is_file():
        raise UsageError(str(folder / PEOPLE_FILE), "no such file", "There is nothing to carry.")
    beside = replace(settings, register=SQLITE)
    with open_people(folder, beside, clock) as before, open_people(folder, settings, clock) as after:
        if after.all():
            raise UsageError("people", "there are accounts in the database already", "They stay as they are.")
        after.load(before.dump(whole=True))
        return after.all()


def _seal_key(keys: KeyFolder) -> bytes:
    """Return the key, whoever of several processes made it."""
    if SEAL_FILE not in keys.names():
        try:
            keys.create(SEAL_FILE, Seal.new_key())
        except TakenError:
            return keys.read(SEAL_FILE)  # another process made it since we looked
    return keys.read(SEAL_FILE)
