"""An archive's settings as `fonoteca.toml` gives them, checked once and passed on as arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_network

from fonoteca.model.errors import UsageError
from fonoteca.model.hashes import BLOCK_BYTES
from fonoteca.model.manners import Manners
from fonoteca.model.rights import Policy
from fonoteca.model.swarming import SwarmingSettings

PIECE_BYTES_DEFAULT = 262_144
"""256 KiB, settled by measurement: see docs/decisions/piece-length.md."""

DROP_BYTES_MAX_DEFAULT = 200 * 10**9
DROP_FILES_MAX_DEFAULT = 20_000
"""libtorrent's default limits refuse torrents of 70,000 files; 20,000 load everywhere."""

TITLE_CHARS_MAX = 500
"""What an edition says of its archive is a short line."""

FOLDER_STORE = "store"
SQLITE = "sqlite"
"""The setting of `register` that keeps tables in files of the archive's folder."""

RAY = "ray"
"""The setting of `workers` that gives work to a Ray cluster."""

_S3_PLACE = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")
_FOLDER_ADDRESS = re.compile(r"https?://[!-~]{1,1000}/")
_NAME = re.compile(r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])\Z)[a-z0-9][a-z0-9-]{0,62}")
"""None that is a device on Windows, where a folder could not have it."""


def _check_range(setting: str, value: int, least: int, most: int | None = None) -> None:
    """Raise UsageError unless a number is in its range, both ends included."""
    if value < least or (most is not None and value > most):
        expected = f"{least} or more" if most is None else f"{least} to {most}"
        raise UsageError(f"{setting} {value}", f"expected {expected}", "Correct it in fonoteca.toml.")


@dataclass(frozen=True, slots=True)
class EditionSettings:
    """How drops are cut and announced. trackers: announce URLs. web_seeds: BEP 19 base URLs.

    address: of the edition's folder, where people find it; its feed then has whole links. Ends in `/`.

    contact: whom to write to about a withdrawal, as every tombstone says; an address or a page, of a role and not a person.
    """

    drop_bytes_max: int = DROP_BYTES_MAX_DEFAULT
    drop_files_max: int = DROP_FILES_MAX_DEFAULT
    trackers: tuple[str, ...] = ()
    web_seeds: tuple[str, ...] = ()
    address: str = ""
    contact: str = ""

    def __post_init__(self) -> None:
        """Check that a drop can hold something, that the contact is a line, and that the address is one of a folder."""
        if self.address and not _FOLDER_ADDRESS.fullmatch(self.address):
            problem = "expected an http or https address that ends in /"
            raise UsageError(f"editions.address {self.address!r:.80}", problem, "Correct it in fonoteca.toml.")
        if len(self.contact) > TITLE_CHARS_MAX or not self.contact.isprintable():
            raise UsageError(f"editions.contact {self.contact!r:.60}", "not a line of text", "Correct it in fonoteca.toml.")
        _check_range("drop_bytes_max", self.drop_bytes_max, 1)
        _check_range("drop_files_max", self.drop_files_max, 1)


@dataclass(frozen=True, slots=True)
class SigningSettings:
    """For how many days what each role signs is good. `publish` signs anew what is past the half of that.

    A mirror refuses what is expired, so that nobody can keep it on an old edition for longer than `timestamp_days`.
    """

    root_days: int = 730
    targets_days: int = 365
    withdrawals_days: int = 14
    snapshot_days: int = 14
    timestamp_days: int = 7

    def __post_init__(self) -> None:
        """Check that nothing is expired when it is made, or good for more than ten years."""
        for name in ("root_days", "targets_days", "withdrawals_days", "snapshot_days", "timestamp_days"):
            _check_range(f"signing.{name}", getattr(self, name), 1, 3650)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where `serve` listens, and to whom. anonymous: whether one may browse and listen without an account.

    proxies: addresses or networks of reverse proxies, whose word is taken for who asks, whether by https, and from which country:
    country_header is the header in which they say that, "" where they do not.
    """

    host: str = "127.0.0.1"
    port: int = 8420
    anonymous: bool = True
    proxies: tuple[str, ...] = ()
    metrics_from: tuple[str, ...] = ("127.0.0.0/8", "::1")
    country_header: str = ""

    def __post_init__(self) -> None:
        """Check the port, of which 0 takes a free one, that each proxy is an address, and that one is there to say a country."""
        _check_range("port", self.port, 0, 65535)
        _check_networks("server.proxies", self.proxies)
        _check_networks("server.metrics_from", self.metrics_from)
        if self.country_header and not _HEADER.fullmatch(self.country_header):
            problem = "expected the name of a header, such as X-Country"
            raise UsageError(f"server.country_header {self.country_header!r:.80}", problem, "Correct it in fonoteca.toml.")
        if self.country_header and not self.proxies:
            problem = "nobody is believed who says it: server.proxies names no proxy"
            raise UsageError("server.country_header", problem, "Name the proxy that sets it in server.proxies.")


def _check_networks(name: str, networks: tuple[str, ...]) -> None:
    for each in networks:
        try:
            ip_network(each)
        except ValueError as error:
            problem = "expected an address or a network, such as 127.0.0.1 or 10.0.0.0/8"
            raise UsageError(f"{name} {each!r:.80}", problem, "Correct it in fonoteca.toml.") from error


CYCLE_DAYS_DEFAULT = 90
"""Every byte read four times a year: disks that scrub themselves are read about monthly, tapes about yearly."""


@dataclass(frozen=True, slots=True)
class FixitySettings:
    """How often bytes are proved. cycle_days: what was verified within so many days is not due for an audit; 0: everything is."""

    cycle_days: int = CYCLE_DAYS_DEFAULT

    def __post_init__(self) -> None:
        """Check that a cycle ends within a century."""
        _check_range("fixity.cycle_days", self.cycle_days, 0, 36_500)


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where the S3 is that a store on `s3://` lies in. endpoint: its URL, "" for Amazon's own. Secrets are never settings."""

    endpoint: str = ""
    region: str = "us-east-1"

    def __post_init__(self) -> None:
        """Check that the endpoint is an address."""
        if self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            raise UsageError(f"s3.endpoint {self.endpoint!r}", "expected an http or https address", "Correct it in fonoteca.toml.")


@dataclass(frozen=True, slots=True)
class RaySettings:
    """Which Ray cluster works for an archive with `workers = "ray"`. address: HOST:PORT of its head; `auto` finds a local one."""

    address: str = "auto"


_DOMAIN = re.compile(r"(?=.{4,253}\Z)[a-z][a-z0-9-]{0,62}(?:\.[a-z][a-z0-9-]{0,62})+")
"""As the guidelines of OAI identifiers have it: each label begins with a letter."""
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@.]+(?:\.[^\s@.]+)+")


@dataclass(frozen=True, slots=True)
class OaiSettings:
    """How libraries harvest the archive (OAI-PMH): it answers once domain and email are set.

    domain: in every identifier, for ever, whatever machine answers. email: of the administrator, a role. page_records: of a page.
    """

    domain: str = ""
    email: str = ""
    page_records: int = 100

    def __post_init__(self) -> None:
        """Check what goes into every answer."""
        if self.domain and not _DOMAIN.fullmatch(self.domain):
            problem = "expected a domain in small letters, such as archive.example"
            raise UsageError(f"oai.domain {self.domain!r:.80}", problem, "Correct it in fonoteca.toml.")
        if self.email and not (_EMAIL.fullmatch(self.email) and self.email.isprintable() and len(self.email) <= TITLE_CHARS_MAX):
            raise UsageError(f"oai.email {self.email!r:.80}", "expected a mail address", "Correct it in fonoteca.toml.")
        _check_range("oai.page_records", self.page_records, 1, 1000)

    @property
    def is_on(self) -> bool:
        """Whether harvesters are answered."""
        return bool(self.domain and self.email)


@dataclass(frozen=True, slots=True)
class PeopleSettings:
    """What is kept of listeners. scrobbles_kept_days: for how long it is known who listened to what; 0: never.

    listeners_least: a recording's listening enters the catalogue once so many different accounts heard it; 0: none does.
    accesses_kept_days: for how long it is known which account or network fetched what; 0: never.
    """

    scrobbles_kept_days: int = 30
    accesses_kept_days: int = 30
    listeners_least: int = 5

    def __post_init__(self) -> None:
        """Check that nothing is kept for more than ten years."""
        _check_range("people.scrobbles_kept_days", self.scrobbles_kept_days, 0, 3650)
        _check_range("people.accesses_kept_days", self.accesses_kept_days, 0, 3650)
        _check_range("people.listeners_least", self.listeners_least, 0, 1000)


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """How notices are taken and answered. Days: to decide one; to answer an appeal; in which its sender may appeal; for which it is
    known who sent one that is settled.

    sent_per_day: of one address or contact. waiting_max: that wait before only the first of a network, contact and text is taken.
    """

    decide_days: int = 14
    appeal_answer_days: int = 14
    appeal_days: int = 183
    contact_kept_days: int = 180
    sent_per_day: int = 10
    waiting_max: int = 10_000

    def __post_init__(self) -> None:
        """Check that each is a time in which people act, and that the form takes something."""
        _check_range("notices.decide_days", self.decide_days, 1, 365)
        _check_range("notices.appeal_answer_days", self.appeal_answer_days, 1, 365)
        _check_range("notices.appeal_days", self.appeal_days, 0, 3650)
        _check_range("notices.contact_kept_days", self.contact_kept_days, 0, 3650)
        _check_range("notices.sent_per_day", self.sent_per_day, 1, 1_000_000)
        _check_range("notices.waiting_max", self.waiting_max, 1, 1_000_000)


@dataclass(frozen=True, slots=True)
class RecheckSettings:
    """How sources are asked again what they say of the rights. cycle_days: after so many an answer is due anew.

    items_max: questions of one run. dark: whether what a source says less of is masked until a person decided.
    """

    cycle_days: int = 180
    items_max: int = 1000
    dark: bool = False

    def __post_init__(self) -> None:
        """Check that a cycle ends within a century."""
        _check_range("recheck.cycle_days", self.cycle_days, 1, 36_500)
        _check_range("recheck.items_max", self.items_max, 1, 1_000_000)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one archive. name: also the root name of its torrents, fixed at `init`.

    store: `store`, the folder, or `s3://bucket/prefix`. workers: processes, 0 for one each core, or `ray`.
    """

    name: str
    title: str
    piece_bytes: int = PIECE_BYTES_DEFAULT
    store: str = FOLDER_STORE
    register: str = SQLITE
    workers: int | str = 0
    rights: Policy = field(default_factory=Policy)
    editions: EditionSettings = field(default_factory=EditionSettings)
    signing: SigningSettings = field(default_factory=SigningSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    people: PeopleSettings = field(default_factory=PeopleSettings)
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    oai: OaiSettings = field(default_factory=OaiSettings)
    swarm: SwarmingSettings = field(default_factory=SwarmingSettings)
    fixity: FixitySettings = field(default_factory=FixitySettings)
    sources: Manners = field(default_factory=Manners)
    recheck: RecheckSettings = field(default_factory=RecheckSettings)
    s3: S3Settings = field(default_factory=S3Settings)
    ray: RaySettings = field(default_factory=RaySettings)

    def __post_init__(self) -> None:
        """Check the name and title, which the archive's torrents and editions carry, and the piece length."""
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                self.name,
                "not a name for an archive",
                "Use lower-case letters, digits and hyphens, at most 63, as in `jazz-2026`.",
            )
        if not 0 < len(self.title) <= TITLE_CHARS_MAX or not self.title.isprintable():
            raise UsageError(
                repr(self.title), "not a title for an archive", f"Use one line of at most {TITLE_CHARS_MAX} characters."
            )
        if self.piece_bytes < BLOCK_BYTES or self.piece_bytes & (self.piece_bytes - 1):
            remedy = f"Use a power of two from {BLOCK_BYTES} up; {PIECE_BYTES_DEFAULT} is a good one."
            raise UsageError(f"piece_bytes {self.piece_bytes}", "not a piece length", remedy)
        if self.store != FOLDER_STORE and not _S3_PLACE.fullmatch(self.store):
            remedy = f"Use {FOLDER_STORE!r} for the archive's own folder, or s3://bucket/prefix."
            raise UsageError(f"store {self.store!r}", "not a place for a store", remedy)
        if isinstance(self.workers, int):
            _check_range("workers", self.workers, 0)
        elif self.workers != RAY:
            raise UsageError(f"workers {self.workers!r}", f"expected a number or {RAY!r}", "Correct it in fonoteca.toml.")
