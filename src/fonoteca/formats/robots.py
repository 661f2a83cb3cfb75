"""robots.txt (RFC 9309) with the Content-Usage rules of draft-ietf-aipref-attach: what a host asks of those who come by themselves.

Bytes in, rules out. What is not understood is passed over, as the RFC has it; what is understood is never read more freely.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote_to_bytes

ROBOTS_BYTES_MAX = 512_000
"""RFC 9309 section 2.5: at least 500 KiB are to be read, and no more need be."""
RULES_MAX = 10_000
PATTERN_CHARS_MAX = 2000
DELAY_S_MAX = 3600.0
_LINE = re.compile(r"\s*([A-Za-z-]+)\s*:\s*([^#]*)")
_PREFERENCE = re.compile(r"([a-z][a-z0-9-]{0,40})\s*=\s*([yn])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rule:
    """One Allow, Disallow or Content-Usage line. pattern: of a path, "" for all. preference: of a Content-Usage."""

    pattern: str
    allow: bool = True
    preference: str = ""

    @property
    def weight(self) -> int:
        """How specific it is: the octets of its pattern."""
        return len(self.pattern.encode("utf-8", "surrogateescape"))


@dataclass(frozen=True, slots=True)
class Robots:
    """What one host asks of one agent. delay_s: between two requests, 0 where it asks none."""

    rules: tuple[Rule, ...] = ()
    usages: tuple[Rule, ...] = ()
    delay_s: float = 0.0

    def allows(self, path: str) -> bool:
        """Return whether a path, with its query, may be asked for: the longest rule that fits decides, Allow before Disallow."""
        if path == "/robots.txt":
            return True
        fitting = [rule for rule in self.rules if rule.pattern and fits(rule.pattern, path)]
        return max(fitting, key=lambda rule: (rule.weight, rule.allow)).allow if fitting else True

    def usage(self, path: str) -> str:
        """Return the Content-Usage preference for a path, "" for none."""
        fitting = [rule for rule in self.usages if not rule.pattern or fits(rule.pattern, path)]
        return max(fitting, key=lambda rule: rule.weight).preference if fitting else ""


BOTS = "bots"
"""The use that stands for all that is done by machines (draft-ietf-aipref-vocab)."""

NOTHING_ASKED = Robots()
ALL_FORBIDDEN = Robots((Rule("/", allow=False),))
"""Of a host that cannot be asked now: RFC 9309 section 2.3.1.4."""


@dataclass(slots=True)
class _Group:
    agents: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    usages: list[Rule] = field(default_factory=list)
    delay_s: float = 0.0
    begun: bool = False


def parse_robots(content: bytes, agent: str) -> Robots:
    """Return what a robots.txt asks of an agent: the groups that name its product token, else those for `*`, put together.

    Cost: the first ROBOTS_BYTES_MAX bytes and RULES_MAX rules; what comes after them is not read.
    """
    groups: list[_Group] = []
    count = 0
    text = content[:ROBOTS_BYTES_MAX].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    for line in re.split(r"\r\n|\r|\n", text):
        match = _LINE.match(line)
        if not match:
            continue
        key, value = match[1].lower(), match[2].strip()
        if key == "user-agent":
            if not groups or groups[-1].begun:
                groups.append(_Group())
            groups[-1].agents.append(_token(value))
        elif groups and count < RULES_MAX:
            count += 1
            _take(groups[-1], key, value)
    token = _token(agent)
    named = [g for g in groups if token in g.agents] or [g for g in groups if "*" in g.agents]
    return Robots(
        tuple(rule for g in named for rule in g.rules),
        tuple(rule for g in named for rule in g.usages),
        max((g.delay_s for g in named), default=0.0),
    )


def _take(group: _Group, key: str, value: str) -> None:
    """Add one line to the group that it belongs to."""
    if key in ("allow", "disallow"):
        group.begun = True
        group.rules.append(Rule(value[:PATTERN_CHARS_MAX], key == "allow"))
    elif key == "content-usage":
        group.begun = True
        path, _, rest = value.partition(" ")
        pattern, stated = (path, rest) if path.startswith("/") else ("", value)
        group.usages.append(Rule(pattern[:PATTERN_CHARS_MAX], preference=" ".join(stated.split())[:PATTERN_CHARS_MAX]))
    elif key == "crawl-delay":
        group.begun = True
        if re.fullmatch(r"\d{1,6}(\.\d{1,3})?", value):
            group.delay_s = max(group.delay_s, min(float(value), DELAY_S_MAX))


def _token(text: str) -> str:
    """Return the product token of a user agent line: letters, `_` and `-` count alone (RFC 9309 section 2.2.1)."""
    match = re.match(r"[A-Za-z_-]+|\*", text.strip())
    return match[0].lower() if match else ""


def fits(pattern: str, path: str) -> bool:
    """Return whether a path begins as a pattern has it: `*` is anything, `$` at the end is the end. Percent signs count decoded."""
    parts, closed = _parts(pattern)
    octets = unquote_to_bytes(path)
    if not octets.startswith(parts[0]):
        return False
    at = len(parts[0])
    for part in parts[1:-1] if closed else parts[1:]:
        found = octets.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    if not closed:
        return True
    # The last part has to be the end, wherever the parts before it were found first: they were taken as early as can be.
    return at == len(octets) if len(parts) == 1 else octets.endswith(parts[-1]) and len(octets) - len(parts[-1]) >= at


@lru_cache(maxsize=4096)
def _parts(pattern: str) -> tuple[Sequence[bytes], bool]:
    closed = pattern.endswith("$")
    return tuple(unquote_to_bytes(part) for part in pattern.removesuffix("$").split("*")), closed


def preferences(statements: Sequence[str]) -> Mapping[str, bool]:
    """Return what Content-Usage statements say of each use, False where one of them says `n`; the rest is left out."""
    found: dict[str, bool] = {}
    for statement in statements:
        for part in statement.split(","):
            match = _PREFERENCE.fullmatch(part.strip())
            if match:
                use = match[1].lower()
                found[use] = found.get(use, True) and match[2].lower() == "y"
    return found
