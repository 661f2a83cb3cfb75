"""One seed from its beginning to its end: what is drawn, done and checked."""

from __future__ import annotations

import os
import re
import tempfile
import traceback
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random

from fonoteca.edges import disk_calls
from fonoteca.edges.disk_calls import remove_tree
from fonoteca.model.errors import FonotecaError
from fonoteca.testing.calls import Crash
from fonoteca.testing.simulation import laws
from fonoteca.testing.simulation.bucket import Bucket
from fonoteca.testing.simulation.deeds import ACQUIRE, ACQUIRE_ALL, AUDIT, DEEDS, PUBLISH, REBUILD, REPAIR, Deed, harm
from fonoteca.testing.simulation.faults import HEALTHY, Faults, draw_faults
from fonoteca.testing.simulation.music import INSTANT
from fonoteca.testing.simulation.truth import LawBroken
from fonoteca.testing.simulation.world import SimulatedArchive, World

TURNS_MAX = 9
S3_SHARE = 1 / 3
"""Of all archives, those whose store is on S3."""

_FINISHES = {ACQUIRE.name, PUBLISH.name}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a seed. broken: the law and what was found, "" when all held. trace: what was done, a line each."""

    seed: int
    broken: str
    trace: tuple[str, ...]
    steps: int


def simulate(seed: int, folder: Path | None = None) -> Outcome:
    """Return what became of a seed. The same seed gives the same outcome, to the letter.

    folder: where the small archive is made, in a folder that is gone on return; memory is best (`/dev/shm`).
    """
    # Names of temporary files are counted by process; their order in a folder is that of their names.
    disk_calls._count = count(1_000_000)
    # The same path each time, so that what is known of a register's statements serves the next seed too.
    base = (folder or Path(tempfile.gettempdir())) / f"fonoteca-simulation-{os.getpid()}"
    remove_tree(base, INSTANT)
    try:
        chance = Random(seed)
        world = World(base, chance, Bucket() if chance.random() < S3_SHARE else None)
        broken = ""
        try:
            _live(world, chance)
        except LawBroken as error:
            broken = str(error)
        trace = tuple(_anywhere(line, base) for line in world.trace)
        return Outcome(seed, _anywhere(broken, base), trace, world.steps)
    finally:
        remove_tree(base, INSTANT)


def _anywhere(line: str, base: Path) -> str:
    """Return a line without what the machine has a part in."""
    told = re.sub(r"[\d,]+ bytes free", "few bytes free", line.replace(str(base), "BASE"))
    return re.sub(r"(?<=\.fonoteca-tmp-)\d+-", "", told)


def _live(world: World, chance: Random) -> None:
    """Do what the seed draws, and check the laws after each process."""
    _turn(world, ACQUIRE, HEALTHY if chance.random() < 0.3 else _faults(world, ACQUIRE.steps))
    for _ in range(chance.randint(3, TURNS_MAX)):
        _let_time_pass(world, chance)
        again = [deed for deed in (ACQUIRE, PUBLISH) if deed.name in world.unfinished]
        if again and chance.random() < 0.6:
            deed = chance.choice(again)
        elif world.harmed and chance.random() < 0.5:
            deed = REPAIR
        else:
            deed = chance.choice(DEEDS)
        _turn(world, deed, _faults(world, deed.steps))
    _end_well(world)


def _faults(world: World, steps: int) -> Faults:
    """Return faults for a process; on S3 it takes twice as many steps, most of them requests, and a few of these change it."""
    return draw_faults(world.chance, steps) if world.bucket is None else draw_faults(world.chance, 2 * steps, steps // 4)


def _let_time_pass(world: World, chance: Random) -> None:
    """Let happen what happens between processes: music changes, bytes rot, a mirror copies, a clock jumps."""
    drawn = chance.random()
    if drawn < 0.3:
        world.trace.append(f"the source {world.music.change(chance)}")
    elif drawn < 0.55:
        if not world.unfinished:
            world.trace.append(f"rot: {harm(world, chance)}")
    elif drawn < 0.75:
        world.copy = world.truth.right()
        world.trace.append("a mirror has copied all")
    elif drawn < 0.8:
        world.clock.jump(timedelta(days=chance.choice((-3, -1, 1, 40))))
        world.trace.append("the clock jumps")
    elif drawn < 0.83 and not world.harmed:
        world.lose_register()
        world.trace.append("the register is lost")
        _turn(world, REBUILD, HEALTHY)


def _turn(world: World, deed: Deed, faults: Faults) -> None:
    """Let a process do a deed; after it, the laws hold, and after a crash they hold once the next process has begun."""
    done = _work(world, deed, faults)
    if not done:
        _restart(world)
    _check_rest(world)


def _work(world: World, deed: Deed, faults: Faults) -> bool:
    """Return whether a process did its deed to the end."""
    world.trace.append(f"{deed.name}: {faults}")
    archive: SimulatedArchive | None = None
    if deed.name in _FINISHES:
        world.unfinished.add(deed.name)
    try:
        with world.running(faults) as archive:
            world.trace.append(f"  {deed.do(world, archive, world.chance)}")
    except Crash:
        world.trace.append("  the process is gone")
        return False
    except FonotecaError as error:
        world.trace.append(f"  {type(error).__name__}: {error}")
        excused = world.troubled or (world.harmed and deed.needs_all)
        if not excused:
            raise LawBroken("nothing-fails-without-a-fault", str(error)) from error
        return False
    except LawBroken:
        raise
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise LawBroken("errors-are-told-in-words", f"{error!r} at {where.filename.rpartition('/')[2]}:{where.lineno}") from error
    return True


def _restart(world: World) -> None:
    """Let a process begin, which may be killed in its turn, until one has begun."""
    tries = 0
    while True:
        tries += 1
        faults = _faults(world, 12) if tries < 4 and world.chance.random() < 0.3 else HEALTHY
        if _work(world, _BEGIN, faults):
            return


_BEGIN = Deed("begin", 12, lambda _world, _archive, _chance: "begun")


def _check_rest(world: World) -> None:
    """Hold the laws that hold whenever nothing runs and the last process began well."""
    at_rest = not world.unfinished
    laws.nothing_unexplained_is_left(world, at_rest=at_rest)
    laws.the_edition_is_whole(world)
    with world.running() as archive:
        laws.what_was_acknowledged_is_registered(world, archive)
        laws.the_register_knows_only_what_is_there(world, archive)
        laws.what_was_withdrawn_stays_so(world, archive)
        if at_rest and not world.harmed:
            laws.the_register_equals_a_rebuild(archive, world.base)


def _end_well(world: World) -> None:
    """Let everything be done without faults: all is healed or was named, and nothing is left to do."""
    for deed in (AUDIT, REPAIR, ACQUIRE_ALL, PUBLISH, AUDIT):
        if not _work(world, deed, HEALTHY) and not world.harmed:
            raise LawBroken("the-next-run-ends-well", f"{deed.name} did not")
    _check_rest(world)
    if not world.harmed:
        laws.the_store_is_valid(world)
    if not world.harmed and world.unfinished:
        raise LawBroken("the-next-run-ends-well", f"{min(world.unfinished)} is still to be done")
