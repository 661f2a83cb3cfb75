"""What is done to a simulated archive, one deed a process. Each says in the trace what it did, and holds its own laws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from random import Random

from fonoteca.flows.acquire import Acquired, Failed, acquire
from fonoteca.flows.audit import Audited, Scope, audit, seen_damages
from fonoteca.flows.publish import publish
from fonoteca.flows.rebuild import rebuild
from fonoteca.flows.repair import repair
from fonoteca.flows.withdraw import Order, reinstate, withdraw
from fonoteca.formats import ocfl
from fonoteca.model.errors import FonotecaError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Kind
from fonoteca.model.withdrawal import Reason, WithdrawalState
from fonoteca.ports import SILENCE
from fonoteca.stewardship import withdraw_rooms
from fonoteca.testing.simulation.truth import LawBroken, Promise
from fonoteca.testing.simulation.world import SimulatedArchive, World
from fonoteca.wiring import audit_rooms, publish_rooms, rebuild_rooms, repair_rooms

_LOG = ocfl.object_path(ObjectId("urn:fonoteca:events:log"))


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a process does. steps: how many it takes at most, about. needs_all: whether one damaged object may end it."""

    name: str
    steps: int
    do: Callable[[World, SimulatedArchive, Random], str]
    needs_all: bool = False


def acquires(world: World, archive: SimulatedArchive, chance: Random) -> str:
    """Acquire one item or all; each outcome is a promise."""
    return _acquire(world, archive, chance.choice([*sorted(world.music.items), "", "", ""]), chance.choice((1, 2, 8)))


def acquires_all(world: World, archive: SimulatedArchive, chance: Random) -> str:
    """Acquire all items, all at one durable point."""
    return _acquire(world, archive, "", 8)


def _acquire(world: World, archive: SimulatedArchive, name: str, batch: int) -> str:
    """Acquire the item of a name, or all, so many at one durable point."""
    ref = world.music.folder / name if name else world.music.folder
    said = []
    for outcome in acquire(world.acquire_rooms(archive, batch), "folder", str(ref)):
        if isinstance(outcome, Acquired):
            offered = {
                path: sha256(content).hexdigest() for path, content in world.music.offered(outcome.item.partition(":")[2]).items()
            }
            world.truth.promises.append(Promise(ocfl.object_path(outcome.object_id), outcome.version, offered))
            said.append(f"{outcome.item} v{outcome.version}{'' if outcome.made else ' (held)'}")
        elif isinstance(outcome, Failed):
            said.append(f"{outcome.item} failed")
            if not archive.troubled and not world.harmed:
                raise LawBroken("nothing-fails-without-a-fault", str(outcome.error))
        else:
            said.append(f"{outcome.rule}")
    if not name and not any("failed" in each for each in said):
        world.unfinished.discard("acquire")
    return ", ".join(said)


def audits(world: World, archive: SimulatedArchive, chance: Random) -> str:
    """Audit everything; what is found is what was damaged."""
    world.settle_harm()  # acquiring heals, too
    damaged = frozenset(world.harmed)
    found = audit(audit_rooms(archive, SILENCE))
    _check_found(world, archive, found, damaged)
    return f"{found.file_count} files, {len(found.damages)} damaged"


def audits_some(world: World, archive: SimulatedArchive, chance: Random) -> str:
    """Audit a sample, or what is due within a budget; nothing is found that was not damaged."""
    scope = chance.choice(
        (Scope(files_max=5), Scope(older_than=timedelta(hours=1)), Scope(bytes_max=30_000), Scope(older_than=timedelta()))
    )
    found = audit(audit_rooms(archive, SILENCE), scope)
    strange = {damage.member.path for damage in found.damages} - world.harmed.keys()
    if strange and not archive.troubled:
        raise LawBroken("audits-find-every-damage-and-only-that", f"{min(strange)} is sound")
    return f"{found.file_count} files, {len(found.damages)} damaged"


def _check_found(world: World, archive: SimulatedArchive, found: Audited, damaged: frozenset[str]) -> None:
    """Raise LawBroken unless an audit of everything found what was damaged and nothing else.

    damaged: when it began. A late put of an earlier process may have healed some of it meanwhile.
    """
    law = "audits-find-every-damage-and-only-that"
    if archive.troubled:
        return
    world.settle_harm()
    paths = {damage.member.path for damage in found.damages} | set(found.root_files)
    if _LOG in paths:  # nothing was left of the log's object that could say which file of it is damaged
        paths = (paths - {_LOG}) | {path for path in world.harmed if path.startswith(f"{_LOG}/")}
    if odds := (paths - damaged - world.harmed.keys()) | (world.harmed.keys() - paths):
        odd = min(odds)
        raise LawBroken(law, f"{odd} was {'found and is sound' if odd in paths else 'damaged and not found'}")
    if found.mistaken:
        raise LawBroken(law, f"the register is wrong about {found.mistaken[0]}")
    if found.unregistered and not world.unfinished:
        raise LawBroken("what-is-there-is-registered", found.unregistered[0])


def repairs(world: World, archive: SimulatedArchive, chance: Random) -> str:
    """Repair what an audit finds, from the copy; all is healed that the copy has."""
    if chance.random() < 0.3:
        damages = seen_damages(archive)  # what an earlier audit found
        audited = False
    else:
        damages, audited = audit(audit_rooms(archive, SILENCE)).damages, True
    right = world.truth.right()
    done = repair(repair_rooms(archive, world.healers(), SILENCE), damages)
    world.settle_harm()
    if audited and not archive.troubled:
        known_left = {_LOG} & done.left.keys()  # no hash proves its files where nothing is left of all its inventories
        for path in world.harmed:
            if not path.startswith(tuple(known_left)) and world.copy.get(path) == right.get(path):
                raise LawBroken("repairs-heal-all-that-the-copy-has", f"{path}: {done.left.get(path, 'not said to be left')}")
    return f"{len(damages)} damaged, {len(done.healed)} healed, {len(done.mended)} mended, {len(done.left)} left"


def rebuilds(world: World, archive: SimulatedArchive, chance: Random) -> str:
    """Make the register anew."""
    archive.store.recover(whole=True)
    done = rebuild(rebuild_rooms(archive, SILENCE))
    return f"{done.object_count} objects, {done.version_count} versions, {done.drop_count} drops, {done.event_count} events"


def publishes(world: World, archive: SimulatedArchive, chance: Random) -> str:
    """Publish; the edition is a promise."""
    try:
        done = publish(publish_rooms(archive, SILENCE))
    except FonotecaError as error:
        if error.problem not in ("there is nothing to publish", "no recordings are imported"):
            raise
        world.unfinished.discard("publish")
        return "nothing to publish"
    world.known_number = max(world.known_number, done.number)
    world.unfinished.discard("publish")
    return f"edition {done.number}{'' if done.made else ' (as it was)'}"


def withdraws(world: World, archive: SimulatedArchive, chance: Random) -> str:
    """Withdraw an object, let go of one, or give one out again; what is told of is a promise."""
    rooms = withdraw_rooms(archive)
    said = archive.register.withdrawals.all()
    back = sorted(each.tombstone.object_id for each in said if each.masks())
    held = sorted(row.object_id for kind in Kind for row in archive.register.objects(kind, limit=1000))
    if back and chance.random() < 0.4:
        object_id = chance.choice(back)
        world.withdrawn.discard(object_id)
        reinstate(rooms, object_id, "settled")
        return f"{object_id} is given out again"
    if not held:
        return "nothing to withdraw"
    object_id = chance.choice(held)
    state = chance.choice((WithdrawalState.DARK, WithdrawalState.REMOVED))
    if state is WithdrawalState.REMOVED:
        world.doomed.add(ocfl.object_path(object_id))
    withdraw(rooms, object_id, Order(state, Reason.OPERATOR, "simulated", notice=b"notice" if chance.random() < 0.5 else b""))
    world.withdrawn.add(object_id)
    return f"{object_id} is {state}"


ACQUIRE = Deed("acquire", 120, acquires)
ACQUIRE_ALL = Deed("acquire", 120, acquires_all)
AUDIT = Deed("audit", 25, audits)
AUDIT_SOME = Deed("audit some", 20, audits_some)
REPAIR = Deed("repair", 60, repairs)
REBUILD = Deed("rebuild", 20, rebuilds, needs_all=True)
PUBLISH = Deed("publish", 160, publishes, needs_all=True)
WITHDRAW = Deed("withdraw", 25, withdraws)
DEEDS = (ACQUIRE, ACQUIRE, ACQUIRE, AUDIT, AUDIT_SOME, REPAIR, REBUILD, PUBLISH, WITHDRAW)


def harm(world: World, chance: Random) -> str:
    """Damage a file or two of the store at rest; return what was done."""
    right = world.truth.right()
    paths = [path for path in sorted(right) if "/logs/" not in path and path not in world.harmed]
    said = []
    for path in chance.sample(paths, min(len(paths), chance.choice((1, 1, 2, 3)))):
        content = right[path]
        match chance.randrange(4):
            case 0:
                left = None
            case 1:
                left = content[: chance.randrange(len(content))]
            case _:
                at = chance.randrange(len(content))
                left = content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]
        world.put_store_file(path, left)
        world.harmed[path] = left
        said.append(f"{path} {'is gone' if left is None else 'is cut' if len(left) < len(content) else 'has a bit flipped'}")
    return "; ".join(said)
