"""How we behave towards hosts that are not ours, and what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fonoteca.model.errors import UsageError

_REMEDY = "Correct it in fonoteca.toml."


@dataclass(frozen=True, slots=True)
class Manners:
    """What a host is never asked beyond, as `[sources]` in fonoteca.toml has it.

    contact: whom a host may write to, in every request. per_second and concurrent: requests to one host. per_day and
    bytes_per_day: of one host between two midnights UTC, over all runs. file_bytes_max: of one file. retry_wait_s_max: a host that
    wants to be left alone for longer is left for another run. places: where wants are looked for, as `KIND ADDRESS`, in order.
    own_networks: whether hosts on this machine and in private networks may be asked.
    """

    contact: str = ""
    per_second: float = 1.0
    concurrent: int = 2
    per_day: int = 20_000
    bytes_per_day: int = 200_000_000_000
    file_bytes_max: int = 2_000_000_000
    retry_wait_s_max: int = 60
    own_networks: bool = False
    places: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that each limit is one, and that the contact fits in a header."""
        for name, value, most in (
            ("per_second", self.per_second, 1000.0),
            ("concurrent", self.concurrent, 32),
            ("per_day", self.per_day, 10**9),
            ("bytes_per_day", self.bytes_per_day, 10**18),
            ("file_bytes_max", self.file_bytes_max, 10**15),
        ):
            if not 0 < value <= most:
                raise UsageError(f"sources.{name} {value}", f"expected a number above 0, at most {most}", _REMEDY)
        if not 0 <= self.retry_wait_s_max <= 3600:
            raise UsageError(f"sources.retry_wait_s_max {self.retry_wait_s_max}", "expected 0 to 3600", _REMEDY)
        if not (self.contact.isascii() and self.contact.isprintable() and len(self.contact) <= 200) or set("()\\") & set(
            self.contact
        ):
            problem = "expected a mail or web address, without brackets"
            raise UsageError(f"sources.contact {self.contact!r:.80}", problem, _REMEDY)
        for place in self.places:
            if len(place.split()) < 2:
                raise UsageError(f"sources.places {place!r:.80}", "expected `KIND ADDRESS`", _REMEDY)


@dataclass(frozen=True, slots=True)
class Page:
    """A document that a host gave. url: where it was in the end. usage: what is said there of its use (Content-Usage)."""

    url: str
    content: bytes
    media_type: str
    usage: str = ""


@dataclass(frozen=True, slots=True)
class Download:
    """A file to fetch to `path`. file_bytes: as its source states it, None where it does not. digests: as in `Elsewhere`."""

    url: str
    path: Path
    file_bytes: int | None = None
    digests: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What a fetch came to. fetched_bytes: that came over the wire now; fewer than file_bytes where a fetch was taken up again."""

    file_bytes: int
    fetched_bytes: int
    usage: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of a host today. free_at: when it may be asked again, in seconds since 1970, 0 for now."""

    host: str
    requests: int
    asked_bytes: int
    free_at: float
