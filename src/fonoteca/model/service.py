"""A command that goes on for months: what it is told, and how it says that it is well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fonoteca.model.swarming import SwarmNow


class Order(StrEnum):
    """What the operator wants of a service that waits."""

    GO_ON = "go on"
    RELOAD = "reload"
    STOP = "stop"


class Stage(StrEnum):
    """What a service is at."""

    STARTING = "starting"
    REFRESHING = "refreshing"
    WAITING = "waiting"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong last. code: of the error, as docs/errors.md lists them."""

    at: datetime
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Health:
    """How a service is. ready: it gives what it should; edition: the number of the one that is held, None without any.

    refreshed_at: of the last time that all went well. due_at: of the next try. seeded and withheld: drops. trouble: since then.
    """

    since: datetime
    stage: Stage = Stage.STARTING
    ready: bool = False
    edition: int | None = None
    refreshed_at: datetime | None = None
    due_at: datetime | None = None
    seeded: int = 0
    seeded_bytes: int = 0
    withheld: int = 0
    swarm: SwarmNow | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a service says while it goes on. what: a stable word. facts: plain values, as JSON has them."""

    at: datetime
    what: str
    facts: tuple[tuple[str, str | int | float | bool | None], ...] = ()
