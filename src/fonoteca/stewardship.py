"""What an archive's operator answers for: the rooms of withdrawals."""

from __future__ import annotations

from fonoteca.flows.withdraw import WithdrawRooms
from fonoteca.model.settings import FOLDER_STORE
from fonoteca.wiring import Archive


def withdraw_rooms(archive: Archive) -> WithdrawRooms:
    """Return what withdrawing needs."""
    return WithdrawRooms(
        store=archive.store,
        register=archive.register,
        clock=archive.clock,
        blobs=archive.blobs(FOLDER_STORE),
        staging=archive.staging,
        policy=archive.settings.rights,
        evidence=archive.evidence,
        contact="",
    )
