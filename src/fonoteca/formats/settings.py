"""`fonoteca.toml`: text to `Settings` and back. Unknown keys and wrong types are errors that name the key."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from fonoteca.formats.quantities import parse_bytes, show_bytes
from fonoteca.model.errors import UsageError
from fonoteca.model.manners import Manners
from fonoteca.model.rights import Policy
from fonoteca.model.settings import (
    EditionSettings,
    FixitySettings,
    NoticeSettings,
    OaiSettings,
    PeopleSettings,
    RaySettings,
    RecheckSettings,
    S3Settings,
    ServerSettings,
    Settings,
    SigningSettings,
)
from fonoteca.model.swarming import SwarmingSettings

FILE_NAME = "fonoteca.toml"

_TABLES: Mapping[str, Mapping[str, type]] = {
    "archive": {"name": str, "title": str, "piece_bytes": int, "store": str, "register": str, "workers": object},
    "rights": {"refuse_noncommercial": bool, "refuse_noderivatives": bool, "public_domain": str, "own_works": bool, "country": str},
    "editions": {
        "drop_bytes_max": int,
        "drop_files_max": int,
        "trackers": tuple,
        "web_seeds": tuple,
        "address": str,
        "contact": str,
    },
    "signing": {
        "root_days": int,
        "targets_days": int,
        "withdrawals_days": int,
        "snapshot_days": int,
        "timestamp_days": int,
    },
    "server": {"host": str, "port": int, "anonymous": bool, "proxies": tuple, "metrics_from": tuple, "country_header": str},
    "people": {"scrobbles_kept_days": int, "accesses_kept_days": int, "listeners_least": int},
    "notices": {
        "decide_days": int,
        "appeal_answer_days": int,
        "appeal_days": int,
        "contact_kept_days": int,
        "sent_per_day": int,
        "waiting_max": int,
    },
    "swarm": {
        "port": int,
        "dht": bool,
        "local_discovery": bool,
        "port_mapping": bool,
        "utp": bool,
        "ipv6": bool,
        "encryption": str,
        "upload_bytes_per_s": int,
        "download_bytes_per_s": int,
        "schedule": str,
        "outside_bytes_per_s": int,
        "connections_max": int,
        "queued_bytes_max": int,
        "refresh_minutes": int,
    },
    "fixity": {"cycle_days": int},
    "recheck": {"cycle_days": int, "items_max": int, "dark": bool},
    "s3": {"endpoint": str, "region": str},
    "oai": {"domain": str, "email": str, "page_records": int},
    "ray": {"address": str},
    "sources": {
        "contact": str,
        "per_second": float,
        "concurrent": int,
        "per_day": int,
        "bytes_per_day": int,
        "file_bytes_max": int,
        "retry_wait_s_max": int,
        "own_networks": bool,
        "places": tuple,
    },
}


def _value(table: str, key: str, value: Any, kind: type) -> Any:
    """Return the setting's value, or say which key has the wrong type."""
    if kind is int and isinstance(value, str):
        return parse_bytes(value)
    if kind is tuple and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if type(value) is kind or (kind is object and type(value) in (int, str)):
        return value
    if kind is float and type(value) in (int, float):
        return value
    expected = {
        tuple: "a list of texts",
        int: "a number",
        float: "a number",
        str: "a text",
        bool: "true or false",
        object: "a number or a name",
    }[kind]
    raise UsageError(f"{FILE_NAME}: {table}.{key}", f"expected {expected}, found {value!r}", "Correct it and run again.")


def _table(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the checked settings of one table."""
    table = document.get(name, {})
    known = _TABLES[name]
    if not isinstance(table, dict):
        raise UsageError(f"{FILE_NAME}: {name}", "expected a table", f"Write it as [{name}].")
    for key in table:
        if key not in known:
            raise UsageError(f"{FILE_NAME}: {name}.{key}", "unknown setting", f"Known ones are {', '.join(known)}.")
    return {key: _value(name, key, value, known[key]) for key, value in table.items()}


def parse_settings(text: str) -> Settings:
    """Return the settings that a fonoteca.toml gives.

    Raises: UsageError when it is not TOML, has unknown keys, or values of the wrong type.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(FILE_NAME, f"not valid TOML: {error}", "Correct the file and run again.") from error
    for name in document:
        if name not in _TABLES:
            raise UsageError(f"{FILE_NAME}: {name}", "unknown table", f"Known ones are {', '.join(_TABLES)}.")
    archive = _table(document, "archive")
    if "name" not in archive:
        raise UsageError(f"{FILE_NAME}: archive.name", "missing", "Every archive has a name, set by `fonoteca init`.")
    policy = Policy(**_table(document, "rights"))
    if policy.public_domain not in ("admit", "hold"):
        raise UsageError(f"{FILE_NAME}: rights.public_domain", f"expected admit or hold, found {policy.public_domain!r}")
    return Settings(
        **{"title": archive["name"], **archive},
        rights=policy,
        editions=EditionSettings(**_table(document, "editions")),
        signing=SigningSettings(**_table(document, "signing")),
        server=ServerSettings(**_table(document, "server")),
        people=PeopleSettings(**_table(document, "people")),
        notices=NoticeSettings(**_table(document, "notices")),
        oai=OaiSettings(**_table(document, "oai")),
        swarm=SwarmingSettings(**_table(document, "swarm")),
        fixity=FixitySettings(**_table(document, "fixity")),
        s3=S3Settings(**_table(document, "s3")),
        ray=RaySettings(**_table(document, "ray")),
        recheck=RecheckSettings(**_table(document, "recheck")),
        sources=Manners(**_table(document, "sources")),
    )


def _toml_value(value: str | int | bool | tuple[str, ...]) -> str:
    """Return a value as TOML writes it: JSON's texts, lists and truth values are TOML too."""
    return json.dumps(value, ensure_ascii=False)


def settings_toml(settings: Settings) -> str:
    """Return the fonoteca.toml of these settings, with a comment for each that an operator may change."""
    text = _toml_value
    policy, editions, signing, swarm = settings.rights, settings.editions, settings.signing, settings.swarm
    return f"""\
# Settings of this archive. See docs/settings.md.

[archive]
name = {text(settings.name)}  # fixed: the torrents of this archive carry it
title = {text(settings.title)}
piece_bytes = {settings.piece_bytes}  # fixed: {show_bytes(settings.piece_bytes)} a piece
store = {text(settings.store)}  # or "s3://bucket/prefix"
register = {text(settings.register)}  # or "postgresql+psycopg://..."
workers = {text(settings.workers)}  # processes that decode and check; 0: one for each core; or "ray"

[rights]
refuse_noncommercial = {text(policy.refuse_noncommercial)}
refuse_noderivatives = {text(policy.refuse_noderivatives)}
public_domain = {text(policy.public_domain)}  # or "hold": a person looks at every public domain mark
own_works = {text(policy.own_works)}
country = {text(policy.country)}  # where this archive stands, such as "DE": what may not be held there is refused

[editions]
drop_bytes_max = {text(_exact_bytes(editions.drop_bytes_max))}
drop_files_max = {editions.drop_files_max}
trackers = {text(editions.trackers)}
web_seeds = {text(editions.web_seeds)}
address = {text(editions.address)}  # where this edition is found, such as "https://archive.example/editions/": for its feed
contact = {text(editions.contact)}  # whom to write to about a withdrawal: of a role, not a person

[signing]  # for how many days a signature is good; `publish` signs anew what is past the half of that
root_days = {signing.root_days}
targets_days = {signing.targets_days}
withdrawals_days = {signing.withdrawals_days}
snapshot_days = {signing.snapshot_days}
timestamp_days = {signing.timestamp_days}

{_server_toml(settings.server)}
{_people_toml(settings.people)}
{_notices_toml(settings.notices)}
{_sources_toml(settings.sources)}
{_oai_toml(settings.oai)}
[swarm]  # for `seed` and `follow --keep`; the rates: 0 is no limit
port = {swarm.port}
dht = {text(swarm.dht)}
local_discovery = {text(swarm.local_discovery)}
port_mapping = {text(swarm.port_mapping)}
utp = {text(swarm.utp)}
ipv6 = {text(swarm.ipv6)}
encryption = {text(swarm.encryption)}  # or "required", or "off"
upload_bytes_per_s = {text(_exact_bytes(swarm.upload_bytes_per_s))}
download_bytes_per_s = {text(_exact_bytes(swarm.download_bytes_per_s))}
schedule = {text(swarm.schedule)}  # such as "22:00-06:00": outside these hours the next line limits both ways, 0 to nothing at all
outside_bytes_per_s = {text(_exact_bytes(swarm.outside_bytes_per_s))}
connections_max = {swarm.connections_max}
queued_bytes_max = {text(_exact_bytes(swarm.queued_bytes_max))}
refresh_minutes = {swarm.refresh_minutes}

[fixity]
cycle_days = {settings.fixity.cycle_days}  # an audit reads again what was verified longer ago than this

{_recheck_toml(settings.recheck)}
[s3]  # for a store on S3; the keys are in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
endpoint = {text(settings.s3.endpoint)}
region = {text(settings.s3.region)}

[ray]
address = {text(settings.ray.address)}
"""


def _server_toml(server: ServerSettings) -> str:
    """Return the table of the site."""
    text = _toml_value
    return f"""\
[server]
host = {text(server.host)}
port = {server.port}
anonymous = {text(server.anonymous)}  # false: the site, its API and players need an account; what mirrors need stays open
proxies = {text(server.proxies)}  # reverse proxies that say who asks, such as ["127.0.0.1"]
country_header = {text(server.country_header)}  # in which they say the visitor's country: for what is for some countries alone
metrics_from = {text(server.metrics_from)}  # who may read /metrics without an operator's key
"""


def _people_toml(people: PeopleSettings) -> str:
    """Return the table of what is kept of listeners."""
    return f"""\
[people]
scrobbles_kept_days = {people.scrobbles_kept_days}  # for how long it is known who listened to what; 0: never
accesses_kept_days = {people.accesses_kept_days}  # and which account or network fetched what
listeners_least = {people.listeners_least}  # of a recording whose listening enters the catalogue; 0: none does
"""


def _notices_toml(notices: NoticeSettings) -> str:
    """Return the table of notices."""
    return f"""\
[notices]
decide_days = {notices.decide_days}  # in which a notice is to be decided
appeal_answer_days = {notices.appeal_answer_days}  # and an appeal answered
appeal_days = {notices.appeal_days}  # after a decision, in which its sender may appeal
contact_kept_days = {notices.contact_kept_days}  # after that, for which it is known who sent it
sent_per_day = {notices.sent_per_day}  # notices of one address, or of one contact
waiting_max = {notices.waiting_max}  # beyond it only the first of a network, a contact and a text is taken
"""


def _sources_toml(manners: Manners) -> str:
    """Return the table of hosts that are not ours."""
    text = _toml_value
    return f"""\
[sources]  # what a host that is not ours is never asked beyond
contact = {text(manners.contact)}  # whom a host may write to, in every request: of a role, not a person
per_second = {manners.per_second}  # requests to one host
concurrent = {manners.concurrent}
per_day = {manners.per_day}
bytes_per_day = {text(_exact_bytes(manners.bytes_per_day))}
file_bytes_max = {text(_exact_bytes(manners.file_bytes_max))}
retry_wait_s_max = {manners.retry_wait_s_max}  # a host that wants to be left alone for longer waits for another run
own_networks = {text(manners.own_networks)}  # true: hosts on this machine and in private networks may be asked
places = {text(manners.places)}  # where `acquire plan` looks, such as ["internet-archive https://archive.org"]
"""


def _recheck_toml(recheck: RecheckSettings) -> str:
    """Return the table of asking again."""
    return f"""\
[recheck]  # `rights recheck` asks sources again what they say of the rights
cycle_days = {recheck.cycle_days}  # after so many days `--due` asks again
items_max = {recheck.items_max}  # of one run
dark = {_toml_value(recheck.dark)}  # true: what a source says less of is given out no more until a person decided
"""


def _oai_toml(oai: OaiSettings) -> str:
    """Return the table of harvesting."""
    return f"""\
[oai]  # for libraries that harvest with OAI-PMH; /oai answers once both are set
domain = {_toml_value(oai.domain)}  # in every identifier, for ever: choose it once
email = {_toml_value(oai.email)}  # of the administrator, a role and not a person
page_records = {oai.page_records}
"""


def _exact_bytes(amount: int) -> str:
    """Return an amount that `parse_bytes` reads back exactly."""
    shown = show_bytes(amount)
    return shown if parse_bytes(shown) == amount else str(amount)
