"""`bagit`: a bag (RFC 8493), or a folder of bags. See docs/sources.md."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from fonoteca.formats.bagfiles import PAYLOAD
from fonoteca.model.corridor import Candidate, LeftOut
from fonoteca.model.errors import SourceError, UsageError
from fonoteca.model.rights import Evidence, Scheme
from fonoteca.sources.albums import NOTICE_BYTES_MAX, Premises, read_albums
from fonoteca.sources.bags import Bag, is_bag, open_bag, open_claimed
from fonoteca.sources.offering import SourceContext
from fonoteca.sources.paths import received_text, slug
from fonoteca.sources.roles import Role, role_of
from fonoteca.sources.statements import scheme_of
from fonoteca.sources.steady import Stamp, open_steady
from fonoteca.sources.tree import FoundFile, Parts, Tree, walk

BAGS_MAX = 100_000
RIGHTS_LABELS = ("License", "Licence", "License-URI", "Rights", "Rights-Statement", "Rights-URI", "Usage-Rights")
"""Labels of bag-info.txt under which people write what may be done with a bag. RFC 8493 has none."""
_SOURCE_LABELS = ("Source-URI", "External-Identifier", "Internal-Sender-Identifier")
_STATEMENT_CHARS_MAX = 200
"""No licence's name or address is longer. Longer ones are for a person, and may name people."""
_CLAIM_WARNING = "warning"


class BagSource:
    """A bag on this machine. Nothing is fetched."""

    kind = "bagit"

    def candidates(self, ref: str, context: SourceContext) -> Iterator[Candidate]:
        """Yield the candidates of a bag, or of all bags directly in a folder, in order of name, each after its bag is proved.

        Of several bags the valid ones are offered, and then the first invalid one is raised.
        """
        folders = _bag_folders(ref)
        failed: list[SourceError] = []
        for folder in folders:
            try:
                offered = _offered(open_bag(folder), context)
            except SourceError as error:
                failed.append(error)
                continue
            yield from offered
        if len(failed) > 1:
            problem = f"{failed[0].problem} (and {len(failed) - 1} more of {len(folders)} bags are not as they should be)"
            raise SourceError(failed[0].subject, problem, failed[0].remedy)
        if failed:
            raise failed[0]


SOURCE = BagSource()


def _bag_folders(ref: str) -> list[Path]:
    """Return the folders of the bags that a reference names."""
    shown = received_text(os.fsencode(ref))
    try:
        root = Path(ref).resolve(strict=True)
        is_folder = root.is_dir()
        inside = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.is_symlink()) if is_folder else []
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(shown, f"no such bag: {getattr(error, 'strerror', None) or error}", "Check the path") from error
    if not is_folder:
        raise UsageError(shown, "expected the folder of a bag, found a file", "Unpack it, and name the folder with bagit.txt in it")
    if is_bag(root):
        return [root]
    found = [folder for folder in inside if is_bag(folder)]
    if not found:
        raise SourceError(shown, "expected bagit.txt in it or in the folders in it, found none", "Name the folder of a bag")
    if len(found) > BAGS_MAX:
        raise SourceError(shown, f"expected at most {BAGS_MAX} bags, found {len(found)}", "Name a smaller folder")
    return found


def _offered(bag: Bag, context: SourceContext) -> Iterator[Candidate]:
    """Yield the candidates of a proved bag: one item, and one more for each rights.toml in its payload."""
    payload = bag.folder / PAYLOAD
    tree = walk(str(payload)) if payload.is_dir() else Tree(payload, (), ())
    premises = _premises(bag, context.clock.now())
    if not any(found.role is not Role.LEGAL for found in tree.files):
        nothing = LeftOut(PAYLOAD, "no-music", "a valid bag with neither audio nor pictures in it")
        premises = replace(premises, left_out=(nothing, *premises.left_out))
    return read_albums(tree, premises, context)


def _premises(bag: Bag, now: datetime) -> Premises:
    """Return what a bag says of all that is in it."""
    plan = bag.plan
    name = _name(bag)

    def name_of(folder: Parts) -> str:
        if not folder:
            return name
        path = os.fsencode("/".join(folder))
        return f"{name}/{slug(folder[-1]) or 'folder'}-{hashlib.sha256(path).hexdigest()[:8]}"

    addresses = (v for v in plan.values(*_SOURCE_LABELS) if re.match(r"https?://\S+\Z", v, re.IGNORECASE))
    source_uri = next(addresses, "")
    return Premises(
        kind=BagSource.kind,
        name_of=name_of,
        open_as=partial(_opener, plan.claims),
        whole=True,
        own=tuple(_evidence(bag, source_uri, now)),
        credit="; ".join(dict.fromkeys(plan.values("Attribution"))),
        title=next(iter(plan.values("Title")), ""),
        artist=next(iter(plan.values("Artist")), ""),
        source_uri=source_uri,
        fallback_title=bag.name,
        texts=tuple(_texts(bag)),
        left_out=tuple(LeftOut(received_text(os.fsencode(c.file)), _CLAIM_WARNING, c.text) for c in plan.cautions),
    )


def _name(bag: Bag) -> str:
    """Return what a bag is called in keys: the same wherever it lies. Bags that share an identifier of one sender share it."""
    identifiers = bag.plan.values("External-Identifier")
    if identifiers:
        sender = bag.plan.values("Source-Organization")
        return f"{slug(identifiers[0]) or 'bag'}-{_digest(*sender, '', *identifiers)}"
    digests = sorted(f"{path}\0{min(claims.items())}" for path, claims in bag.plan.claims.items() if path.startswith(PAYLOAD))
    return f"{slug(bag.name) or 'bag'}-{_digest(*digests)}"


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _evidence(bag: Bag, source_uri: str, now: datetime) -> Iterator[Evidence]:
    """Yield what the info file says of rights. What names no licence is evidence still, which a person has to read."""
    for value in dict.fromkeys(bag.plan.values(*RIGHTS_LABELS)):
        short = len(value) <= _STATEMENT_CHARS_MAX
        statement = value if short else f"a statement of {len(value)} characters in bag-info.txt"
        yield Evidence(scheme_of(value) if short else Scheme.SPDX, statement, source_uri, "bag-info.txt", now, bag.info_bytes)


def _texts(bag: Bag) -> Iterator[tuple[str, bytes]]:
    """Yield the legal texts beside the payload, by name."""
    for path in sorted(bag.folder.iterdir()):
        if role_of(path.name) is Role.LEGAL and path.is_file():
            stamp = Stamp.of(os.lstat(path))
            if stamp.file_bytes > NOTICE_BYTES_MAX:
                problem = f"expected at most {NOTICE_BYTES_MAX} bytes, found {stamp.file_bytes}"
                raise SourceError(received_text(os.fsencode(path)), problem, "Keep only the text that is needed")
            name = received_text(os.fsencode(path.name))
            with open_steady(path, name, stamp) as stream:
                yield name, stream.read()


def _opener(claims: Mapping[str, Mapping[str, str]], found: FoundFile, subject: str) -> Callable[[], BinaryIO]:
    """Return what opens a payload file, to be proved by all that its bag claims of it."""
    claimed = tuple(claims[PAYLOAD + "/".join(found.parts)].items())
    return partial(open_claimed, found.path, subject, found.stamp, claimed)
