"""The laws that an archive keeps whatever happens to it, each by a name that a failure gives."""

from __future__ import annotations

import hmac
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_calls import remove_tree
from fonoteca.edges.disk_tree import DiskTree
from fonoteca.editions import Editions
from fonoteca.flows.rebuild import rebuild
from fonoteca.formats import ocfl_validation
from fonoteca.formats.metainfo import parse_torrent
from fonoteca.model.errors import FonotecaError
from fonoteca.ports import SILENCE
from fonoteca.register import Register
from fonoteca.testing.simulation.music import INSTANT
from fonoteca.testing.simulation.truth import LawBroken
from fonoteca.testing.simulation.world import SALT, World, files_below, open_register
from fonoteca.wiring import Archive, rebuild_rooms

TEMPORARY = ".fonoteca-tmp-"
KEPT_IN_STAGING = ("catalogue-", "search-")
"""How staging folders begin that the next build of the catalogue takes over or removes."""


def nothing_unexplained_is_left(world: World, *, at_rest: bool) -> None:
    """Raise LawBroken for a file or folder that nothing accounts for.

    at_rest: no command is waiting to be run again, so that staging is empty; else what the next build takes over may be there.
    """
    law = "nothing-unexplained-is-left"
    world.check_store(law)
    for part in ("store", "private", "staging", "editions", "catalogue"):
        for path in (world.folder / part).rglob("*") if (world.folder / part).exists() else ():
            if path.name.startswith(TEMPORARY):
                raise LawBroken(law, f"{path.relative_to(world.folder)} is of an unfinished write")
    for path in (world.folder / "store").rglob("*"):
        if (
            path.is_dir()
            and not any(path.iterdir())
            and not _is_emptied_by_harm(world, path.relative_to(world.folder / "store").as_posix())
        ):
            raise LawBroken(law, f"{path.relative_to(world.folder)} is empty")
    staging = world.folder / "staging"
    for path in sorted(staging.iterdir()) if staging.exists() else ():
        if at_rest or not path.name.startswith(KEPT_IN_STAGING):
            raise LawBroken(law, f"staging/{path.name} is left")
    for name, content in files_below(world.folder / "private").items():
        digest = hmac.new(SALT, content, sha256).hexdigest()
        if name not in ("evidence-salt", f"evidence/{digest[:2]}/{digest}"):
            raise LawBroken(law, f"private/{name} has not the digest of its name")


def _is_emptied_by_harm(world: World, path: str) -> bool:
    return any(harmed.startswith(f"{path}/") for harmed in world.harmed)


def the_register_equals_a_rebuild(archive: Archive, scratch: Path) -> None:
    """Raise LawBroken unless the register knows what one knows that is made anew, in a folder beside, from the store."""
    known = _state(archive.register)
    beside = scratch / "rebuilt.sqlite"
    remove_tree(beside, INSTANT)
    with open_register(beside) as fresh:
        rebuild(replace(rebuild_rooms(archive, SILENCE), register=fresh))
        made = _state(fresh)
    for part in known:
        odd = [row for row in known[part] if row not in made[part]], [row for row in made[part] if row not in known[part]]
        if odd[0] or odd[1]:
            raise LawBroken("the-register-equals-a-rebuild", f"{part}: only known {odd[0][:1]}, only rebuilt {odd[1][:1]}")


def _state(register: Register) -> dict[str, list[Any]]:
    """Return all that a register knows and that does not depend on how often anyone looked."""
    decisions = (*register.decisions("open", 1000), *register.decisions("settled", 1000))
    return {
        "rows": list(register.natural_rows()),
        "decisions": sorted((row.subject, row.outcome, row.rule, row.item, row.reason, row.state) for row in decisions),
        "events": sorted(register.events(100_000), key=repr),
    }


def what_was_acknowledged_is_registered(world: World, archive: Archive) -> None:
    """Raise LawBroken unless the register has every version that somebody was told of."""
    law = "what-was-acknowledged-is-registered"
    highest: dict[str, int] = {}
    for promise in world.truth.promises:
        highest[promise.object_path] = max(promise.version, highest.get(promise.object_path, 0))
    for path, number in highest.items():
        row = archive.register.object_at(path)
        if row is None or row.head_version < number:
            raise LawBroken(law, f"the register does not know {path} v{number}")


def the_register_knows_only_what_is_there(world: World, archive: Archive) -> None:
    """Raise LawBroken for a version that the register has and the store has not."""
    known = {(path, number) for path, number in world.truth.versions}
    for row in archive.register.objects(limit=10_000):
        for version in archive.register.versions(row.object_id):
            if (row.object_path, version.version) not in known and not any(
                path.startswith(f"{row.object_path}/v{version.version}/") for path in world.harmed
            ):
                raise LawBroken("the-register-knows-only-what-is-there", f"{row.object_id} v{version.version}")


def the_store_is_valid(world: World) -> None:
    """Raise LawBroken unless a store on the disk is valid OCFL by every rule of the specification."""
    if world.bucket is not None:
        return
    with DiskTree(world.folder / "store") as tree:
        report = ocfl_validation.validate(tree, ocfl_validation.TreeKind.ROOT)
    if report.counts.keys() - {"W004"}:
        raise LawBroken("the-store-is-valid-ocfl", str(report.findings[0]))


def what_was_withdrawn_stays_so(world: World, archive: Archive) -> None:
    """Raise LawBroken when an object that somebody was told is withdrawn is not masked, or one that was purged is there."""
    law = "what-was-withdrawn-stays-so"
    masked = archive.register.withdrawals.masked()
    for object_id in world.withdrawn - masked.keys():
        raise LawBroken(law, f"{object_id} is not masked")
    for path in world.purged:
        if archive.register.object_at(path) is not None:
            raise LawBroken(law, f"the register has {path}, which was purged")


def the_edition_is_whole(world: World) -> None:
    """Raise LawBroken unless what is published can be read, is no older than what was told, and is whole in the store."""
    law = "a-published-edition-is-whole"
    editions = Editions(DiskBlobs(world.folder / "editions"))
    try:
        index = editions.index()
        editions.read()
    except FonotecaError as error:
        raise LawBroken(law, str(error)) from error
    if (index.number if index else 0) < world.known_number:
        raise LawBroken(law, f"edition {world.known_number} was told of, {index.number if index else 'none'} is out")
    right = world.truth.right()
    for entry in index.entries if index else ():
        files = parse_torrent(editions.torrent_of(entry)).files
        for file in files if not entry.kind.is_snapshot else ():
            if "/".join(file.path.split("/")[:4]) not in world.purged and len(right.get(file.path, b"")) != file.file_bytes:
                raise LawBroken(law, f"{entry.id} has {file.path}, the store has not")
