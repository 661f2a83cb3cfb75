"""`kill -9` of the real command at random moments: one acquire of a source that changes, killed again and again, then let end.

The command runs in a child forked after all imports, in a process group of its own, so that a run costs what it does and not what
Python takes to start. What it printed before it was killed is a promise.
`python -m fonoteca.testing.simulation.killing --kills 200 [--s3]`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from random import Random

import fonoteca.cli.commands
from fonoteca.cli.app import run
from fonoteca.flows.audit import audit
from fonoteca.formats import ocfl
from fonoteca.model.ids import ItemKey, ObjectId
from fonoteca.model.settings import S3Settings, Settings
from fonoteca.ports import SILENCE
from fonoteca.testing.seaweed import seaweed
from fonoteca.testing.simulation.laws import TEMPORARY, the_register_equals_a_rebuild
from fonoteca.testing.simulation.music import Music, put_file
from fonoteca.testing.simulation.truth import LawBroken, Promise, Truth
from fonoteca.testing.simulation.world import files_below
from fonoteca.wiring import Archive, audit_rooms, create_archive, open_archive

ITEMS = 40
FIRST_RUN_S = 1.0
SETTINGS = Settings("killed", "Killed again and again", 16384, workers=1)
BUCKET = "killed"


@dataclass(slots=True)
class Killed:
    """What happened. kills: runs that a kill ended; ends: runs that ended before their kill. promised: versions told of before."""

    kills: int = 0
    ends: int = 0
    promised: int = 0
    objects: int = 0
    versions: int = 0
    files: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Killing:
    """One archive, a source for it, and the command that is killed."""

    base: Path
    seed: int
    settings: Settings
    said: set[str] = field(default_factory=set)
    _chance: Random = field(init=False)
    _music: Music = field(init=False)
    _run_s: float = FIRST_RUN_S

    def __post_init__(self) -> None:
        self._chance = Random(self.seed)
        self._music = Music(self.base / "music")
        self._music.begin(self._chance, [f"item-{number:02d}" for number in range(ITEMS)])
        self._make_the_archive()

    @property
    def archive(self) -> Path:
        """The archive's folder."""
        return self.base / "archive"

    def kill(self, kills: int) -> Killed:
        """Return what happened when so many runs were killed, and the last was let end, and all was found as it must be."""
        done = Killed()
        began = time.monotonic()
        while done.kills < kills:
            if self._was_killed(self._chance.uniform(0.005, self._run_s)):
                done.kills += 1
                continue
            done.ends += 1
            for _ in range(10):
                self._music.change(self._chance)
        if self._was_killed(None):
            raise LawBroken("the-next-run-ends-well", "it was killed by somebody else")
        self._check(done)
        done.seconds = round(time.monotonic() - began, 1)
        return done

    def _make_the_archive(self) -> None:
        """Make it in a child: who has spoken to an S3 has threads, and must not fork."""
        child = os.fork()
        if child == 0:
            with _end_after() as end:
                create_archive(self.archive, self.settings)
                end.status = 0
        status = os.waitpid(child, 0)[1]
        if status:
            raise LawBroken("the-next-run-ends-well", f"no archive could be made: status {status}")

    def _was_killed(self, after_s: float | None) -> bool:
        """Return whether a run of the command was killed so long after its start; None lets it end."""
        output = self.base / "output.txt"
        put_file(output, b"")
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            self._be_the_command(output)
        os.setpgid(child, child)
        if after_s is not None:
            time.sleep(after_s)
            os.killpg(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        self._hear(output.read_text("utf-8", "replace"))
        if os.WIFSIGNALED(status):
            return True
        if after_s is None:
            self._run_s = 1.2 * (time.monotonic() - began)
        if os.WEXITSTATUS(status):
            raise LawBroken("the-next-run-ends-well", f"status {os.WEXITSTATUS(status)}: {output.read_text()[-2000:]}")
        return False

    def _be_the_command(self, output: Path) -> None:
        """Run the command in this process, and end it."""
        with _end_after() as end:
            os.setpgid(0, 0)
            descriptor = os.open(output, os.O_WRONLY | os.O_APPEND)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            end.status = run(["acquire", "folder", str(self._music.folder), "--archive", str(self.archive)])
            sys.stdout.flush()

    def _hear(self, output: str) -> None:
        """Take note of what the command told of before its end."""
        for line in output.splitlines():
            told, _, item = line.strip().partition("  ")
            if told in ("held", "held already") and ":" in item:
                self.said.add(item.rpartition(":")[0])

    # What must be there ---------------------------------------------------------------------------------------------

    def _check(self, done: Killed) -> None:
        """Raise LawBroken unless everything is held exactly once, sound, and nothing is left over."""
        with open_archive(self.archive, writing=True) as opened:
            files = self._files(opened)
            held = {str(one) for one in opened.store.object_ids("audio")}
            offered = {str(ObjectId.of("audio", ItemKey(f"folder:{name}"))) for name in self._music.items}
            if held != offered or {str(ObjectId.of("audio", ItemKey(item))) for item in self.said} - held:
                raise LawBroken("everything-is-held-exactly-once", f"{sorted(held ^ offered)[:3]}")
            truth = Truth()
            truth.take_in(files)
            for name in self._music.items:
                object_id = ObjectId.of("audio", ItemKey(f"folder:{name}"))
                digests = {path: sha256(content).hexdigest() for path, content in self._music.offered(name).items()}
                truth.promises.append(Promise(ocfl.object_path(object_id), opened.store.head(object_id), digests))
            truth.check_promises()
            if wrong := truth.wrong(files):
                raise LawBroken("nothing-unexplained-is-left", f"{min(wrong.items())}, {len(wrong)} files in all")
            found = audit(audit_rooms(opened, SILENCE))
            if not found.sound:
                raise LawBroken("audits-find-every-damage-and-only-that", f"{found.damages[:1]} {found.unregistered[:1]}")
            the_register_equals_a_rebuild(opened, self.base)
            self._check_leftovers()
            done.promised, done.objects, done.files = len(self.said), len(held), len(files)
            done.versions = sum(opened.store.head(ObjectId(one)) for one in held)

    def _check_leftovers(self) -> None:
        """Raise LawBroken for anything in staging, and for files of unfinished writes."""
        staging = self.archive / "staging"
        left = [path.name for path in staging.iterdir()] if staging.exists() else []
        left += [str(path.relative_to(self.archive)) for path in self.archive.rglob(f"{TEMPORARY}*")]
        if left:
            raise LawBroken("nothing-unexplained-is-left", left[0])

    def _files(self, opened: Archive) -> dict[str, bytes]:
        """Return all files of the store; of one on S3 after a copy of it was put beside, for other software to look at."""
        if self.settings.store == "store":
            return files_below(self.archive / "store")
        blobs = opened.blobs("store")
        files = {key: blobs.read(key) for key in blobs.keys()}  # noqa: SIM118 - not a mapping
        for path, content in files.items():
            put_file(self.base / "copy" / path, content)
        return files


@dataclass(slots=True)
class _End:
    """How a child ends."""

    status: int = 70


@contextmanager
def _end_after() -> Iterator[_End]:
    """Let a child do something, and end it at once, whatever came of it: what its parent had begun is not its to finish."""
    end = _End()
    try:
        with _told():
            yield end
    finally:
        os._exit(end.status)


@contextmanager
def _told() -> Iterator[None]:
    """Print an error before it goes on to where nobody waits for it."""
    try:
        yield
    except Exception:
        traceback.print_exc()
        raise


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when all was as it must be, 1 when a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m fonoteca.testing.simulation.killing", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="a new folder on the disk to try; a temporary one where none is named")
    parser.add_argument("--s3", action="store_true", help="with the store on SeaweedFS, which is started for it")
    parser.add_argument("--endpoint", default="", help="of an S3 that runs, with its keys in the environment")
    chosen = parser.parse_args(arguments)
    with _folder(chosen.folder) as base:
        if chosen.s3 and not chosen.endpoint:
            return _on_seaweed(base, chosen)
        settings = SETTINGS
        if chosen.endpoint:
            settings = replace(SETTINGS, store=f"s3://{BUCKET}/{chosen.seed}", s3=S3Settings(endpoint=chosen.endpoint))
        try:
            done = Killing(base, chosen.seed, settings).kill(chosen.kills)
        except LawBroken as error:
            sys.stdout.write(f"{error}\nAgain, as far as timing lets: --seed {chosen.seed} --kills {chosen.kills}\n")
            return 1
        sys.stdout.write(json.dumps({slot: getattr(done, slot) for slot in Killed.__slots__}) + "\n")
        return 0


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    """Give the folder to work in."""
    if named is not None:
        yield named.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="fonoteca-killing-") as base:
        yield Path(base)


def _on_seaweed(base: Path, chosen: argparse.Namespace) -> int:
    """Return the status of another process that does it: who starts a server has threads, and must not fork."""
    with seaweed(base / "seaweed") as server:
        server.make_bucket(BUCKET)
        words = [sys.executable, "-m", "fonoteca.testing.simulation.killing", "--endpoint", server.endpoint]
        words += ["--kills", str(chosen.kills), "--seed", str(chosen.seed), "--folder", str(base)]
        return subprocess.run(words, env={**os.environ, **server.environment}, check=False).returncode


assert fonoteca.cli.commands, "imported for its commands: none is imported in a child"

if __name__ == "__main__":
    sys.exit(main())
