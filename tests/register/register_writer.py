"""One of several writers, as a process: `register_writer.py ADDRESS SEED`. All record the same, each in an order of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

from register_world import DESCRIPTION, NOON, drop_of, made, rights, second

from fonoteca.model.corridor import DropMember, Event, StoredVersion
from fonoteca.model.rights import Hold, Refusal
from fonoteca.register import Check, Register

OBJECTS, THREADS, BATCHES = 20, 3, 5


def versions() -> list[StoredVersion]:
    """Return the versions that all writers record, each in an order of its own, an object's versions in order."""
    firsts = [made(f"folder:{number:02}", names=("1.ogg", "2.ogg")) for number in range(OBJECTS)]
    return [version for first in firsts for version in (first, second(first))]


def work(register: Register, seed: int) -> None:
    """Record everything: versions in batches with the objects in another order for each seed, then all that is about them."""
    dice = Random(seed)
    known = versions()
    pairs = [(known[place], known[place + 1]) for place in range(0, len(known), 2)]
    dice.shuffle(pairs)
    for part in range(BATCHES):
        batch = [version for pair in pairs[part::BATCHES] for version in pair]
        register.record_many((version, rights(version.object_id.key), DESCRIPTION) for version in batch)
    firsts: Sequence[StoredVersion] = [first for first, _ in pairs]
    register.record_checks(
        Check(first.object_id, each.path, NOON + timedelta(days=day), None)
        for first in firsts
        for each in first.members
        for day in range(2)
    )
    for number in dice.sample(range(OBJECTS), OBJECTS):
        key = f"folder:{number:02}"
        register.record_decision(Refusal(f"{key}: a.m4a", "protected", "holds a sinf box", "Take a clear copy."), key, NOON)
        register.record_decision(Hold(key, "unknown", "no licence was found", "Which licence is it under?"), key, NOON)
        register.settle_decision(key, "found", NOON)
    events = [Event(NOON + timedelta(minutes=number), "acquired", f"folder:{number:02}") for number in range(OBJECTS)]
    dice.shuffle(events)
    register.record_events(events)
    members = [DropMember(first.object_id, 1) for first in firsts]
    register.record_drop(drop_of(tuple(sorted(members, key=lambda each: each.object_id))))


def main() -> None:
    """Write with several threads at once."""
    address, seed = sys.argv[1], int(sys.argv[2])
    with Register.open(address) as register, ThreadPoolExecutor(THREADS) as threads:
        for done in [threads.submit(work, register, seed + thread) for thread in range(THREADS)]:
            done.result()


if __name__ == "__main__":
    main()
