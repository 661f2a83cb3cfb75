"""`fonoteca demo [DIR]`: the whole corridor on real music, then the site.

Every step is one of the ordinary commands, and each can be run again: pulled out in the middle, the demo carries on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.acquire import print_outcome
from fonoteca.cli.app import app
from fonoteca.cli.audit import print_audited, print_repaired
from fonoteca.cli.coverage import coverage_points_json, is_synthetic, print_coverage
from fonoteca.cli.follow import ensure_mirror
from fonoteca.cli.output import TerminalProgress, print_json, say
from fonoteca.cli.plan import print_plan
from fonoteca.cli.publish import drop_json, print_published
from fonoteca.cli.search import hit_json, print_hits
from fonoteca.cli.serve import listen, serve
from fonoteca.flows.acquire import Outcome, acquire
from fonoteca.flows.audit import audit
from fonoteca.flows.catalogue import plan, refresh
from fonoteca.flows.demo import choose_flips, flip
from fonoteca.flows.follow import follow
from fonoteca.flows.publish import publish
from fonoteca.flows.repair import repair
from fonoteca.formats.mp4 import protected_sample
from fonoteca.formats.quantities import parse_bytes, show_bytes
from fonoteca.formats.settings import FILE_NAME
from fonoteca.model.catalogue import PlanQuestion
from fonoteca.model.errors import UsageError
from fonoteca.model.rights import Hold, Kind, Refusal
from fonoteca.model.settings import EditionSettings, Settings
from fonoteca.neighbours import Healers
from fonoteca.wiring import (
    Archive,
    Mirroring,
    SwarmChoice,
    acquire_rooms,
    audit_rooms,
    catalogue_rooms,
    create_archive,
    follow_rooms,
    mirrors_at,
    open_archive,
    open_swarm,
    publish_rooms,
    repair_rooms,
    write_output,
)

SEED, LISTENERS = 1890, 2_000
"""Of the synthetic listening history: the year of the first jukebox, and a crowd that a small machine draws in a second."""

PLAN_BUDGET = "5 GB"
DROP_BYTES_MAX = 4_000_000
"""Small, so that the sample makes several audio drops; with --debian drops may be larger."""
DROP_BYTES_MAX_DEBIAN = 64_000_000
QUERY = "wesnoth"


@dataclass(slots=True)
class _Demo:
    """One run: its folders, and what it has to tell in the end."""

    folder: Path
    progress: TerminalProgress
    quiet: bool
    outcomes: list[Outcome] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def archive(self) -> Path:
        """The archive's folder."""
        return self.folder / "archive"

    @property
    def mirror(self) -> Path:
        """The mirror's folder."""
        return self.folder / "mirror"

    def step(self, number: int, text: str) -> None:
        """Say which step begins."""
        if not self.quiet:
            say()
            say(f"{number}. {text}", "bold cyan")

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """Remember and say what became of candidates."""
        for outcome in outcomes:
            self.outcomes.append(outcome)
            if not self.quiet:
                print_outcome(outcome)


@app.command("demo")
def demo_command(
    folder: Annotated[Path, typer.Argument(help="Where the demo's archive and mirror go.", metavar="[DIR]")] = Path("demo"),
    debian: Annotated[list[str] | None, typer.Option(help="A package of music to acquire too, such as wesnoth-1.16-music.")] = None,
    serving: Annotated[bool, typer.Option("--serve/--no-serve", help="End with the site on localhost.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")] = False,
) -> None:
    """Run the whole corridor on real, openly licensed music, and end with the site.

    It makes an archive, acquires, refuses, plans, publishes, mirrors itself over BitTorrent, damages and heals itself,
    and searches. Run again in the same folder it carries on where it was.
    """
    started = time.monotonic()
    demo = _Demo(folder.resolve(), TerminalProgress(quiet=as_json), as_json)
    _make(demo, bool(debian))
    # Open all through: another demo in the same folder is told so at its start, and never gets in between two steps.
    with open_archive(demo.archive, writing=True) as archive:
        _acquire(demo, archive, debian or [])
        _look(demo, archive)
        _publish(demo, archive)
        _mirror(demo)
        _damage_and_heal(demo, archive)
        _search(demo, archive)
        demo.summary["seconds"] = round(time.monotonic() - started, 1)
    if as_json:
        print_json(demo.summary)
    else:
        say()
        say(f"All of it took {demo.summary['seconds']} s. The archive is {demo.archive}", "bold")
    if serving:
        with open_archive(demo.archive) as archive:
            serve(archive, _any_listener(archive))


def _make(demo: _Demo, with_debian: bool) -> None:
    """Make the archive, or find the one that an earlier run made; import the starter catalogue."""
    demo.step(1, "Make an archive, with a starter catalogue of real tracks")
    if not (demo.archive / FILE_NAME).is_file():
        limit = DROP_BYTES_MAX_DEBIAN if with_debian else DROP_BYTES_MAX
        settings = Settings(name="fonoteca-demo", title="Fonoteca demo", editions=EditionSettings(drop_bytes_max=limit))
        try:
            create_archive(demo.archive, settings)
        except UsageError:
            if not (demo.archive / FILE_NAME).is_file():  # else another demo made it at this very moment, and holds it
                raise
    demo.summary |= {"archive": str(demo.archive), "mirror": str(demo.mirror)}


def _acquire(demo: _Demo, archive: Archive, packages: list[str]) -> None:
    """Acquire the bundled sample, packages that were asked for, one protected file and one item of unknown licence."""
    source = archive.catalogue.import_starter()
    if not demo.quiet:
        say(f"imported {source.row_count} recordings ({source.attribution}, {source.licence})")
    demo.step(2, "Acquire openly licensed music")
    rooms = acquire_rooms(archive, demo.progress)
    with resources.as_file(resources.files("fonoteca") / "sample") as sample:
        demo.tell(acquire(rooms, "folder", str(sample)))
        for name in packages:
            demo.tell(acquire(rooms, "debian", name))
        demo.step(3, "Refuse what is protected, and hold for a person what is unclear")
        _make_bad_items(demo.folder / "items", sample)
        demo.tell(acquire(rooms, "folder", str(demo.folder / "items")))
    totals = archive.register.totals()
    demo.summary |= {
        "items": len({row.item for row in archive.register.objects(limit=10_000) if row.item}),
        "files": totals.files,
        "bytes": totals.bytes,
        "audio_seconds": round(totals.duration_ms / 1000, 1),
        "refused": sum(isinstance(o, Refusal) for o in demo.outcomes),
        "held": sum(isinstance(o, Hold) for o in demo.outcomes),
    }


def _make_bad_items(folder: Path, sample: Path) -> None:
    """Make an item with a protected file, a header with protection boxes and no content, and one without any licence."""
    rights = b'id = "demo-protected"\ntitle = "A protected file"\nartist = "Nobody"\nlicence = "CC0-1.0"\n'
    write_output(folder / "protected" / "rights.toml", rights)
    write_output(folder / "protected" / "protected.m4a", protected_sample())
    track = sample / "advanced-strategic-command" / "machine_wars.mp3"
    write_output(folder / "unknown" / "found on a disk.mp3", track.read_bytes())


def _look(demo: _Demo, archive: Archive) -> None:
    """Make up a listening history, build the catalogue, and show coverage and a plan."""
    demo.step(4, "How much of all listening is kept, and what to hold next")
    rooms = catalogue_rooms(archive, demo.progress)
    archive.catalogue.import_store(archive.register.held_tracks())
    archive.catalogue.import_synthetic_history(SEED, LISTENERS)
    refresh(rooms)
    coverage = archive.catalogue.coverage()
    found = plan(rooms, PlanQuestion(parse_bytes(PLAN_BUDGET)))
    demo.summary |= {"coverage": coverage_points_json(coverage), "coverage_synthetic": coverage.synthetic}
    told = {"budget_bytes": found.question.budget_bytes, "wants": found.want_count, "kept_share": found.kept.share}
    demo.summary |= {"plan": told}
    if not demo.quiet:
        print_coverage(coverage)
        say()
        print_plan(found)


def _publish(demo: _Demo, archive: Archive) -> None:
    """Publish: metadata, then audio in order of popularity, then artwork."""
    demo.step(5, "Publish an edition: metadata, audio by popularity, artwork")
    published = publish(publish_rooms(archive, demo.progress))
    index = archive.editions.index()
    assert index is not None, "an edition was just published"
    demo.summary["drops"] = [drop_json(entry) for entry in index.entries]
    if not demo.quiet:
        print_published(published, is_synthetic(archive.catalogue))


def _mirror(demo: _Demo) -> None:
    """Follow the archive into a second folder, over BitTorrent, and compute every sha256 there."""
    demo.step(6, "Become a mirror of it, over BitTorrent between two sessions, and prove every byte")
    ensure_mirror(demo.mirror, str(demo.archive))
    with (
        open_archive(demo.mirror, writing=True) as mirror,
        mirrors_at([str(demo.archive)]) as whereabouts,
        open_swarm(SwarmChoice()) as swarm,
    ):
        followed = follow(follow_rooms(mirror, Mirroring(str(demo.archive), swarm, whereabouts), demo.progress))
        audited = audit(audit_rooms(mirror, demo.progress))
        files = sum(row.file_count for row in mirror.register.drops() if not row.kind.is_snapshot)
    kept = sum(audited.count_by_kind[kind] for kind in Kind)
    damaged = {damage.member.path for damage in audited.damages if damage.object_id.kind in set(Kind)}
    demo.summary |= {"mirror_verified": kept - len(damaged), "mirror_files": files}
    demo.summary |= {"mirror_edition": followed.number, "mirror_bytes_fetched": followed.fetched_bytes}
    if not demo.quiet:
        say(f"edition {followed.number}: {show_bytes(followed.fetched_bytes)} fetched")
        print_audited(audited)


def _damage_and_heal(demo: _Demo, archive: Archive) -> None:
    """Flip bytes in the archive's store, find them by an audit, and heal them from the mirror."""
    demo.step(7, "Flip bytes in the archive's store, find them, heal them from the mirror")
    with mirrors_at([str(demo.mirror)]) as whereabouts, open_swarm(SwarmChoice()) as swarm:
        checking = audit_rooms(archive, demo.progress)
        mending = repair_rooms(archive, Healers(swarm=swarm, whereabouts=whereabouts), demo.progress)
        archive.store.recover(whole=True)  # a flip that was killed left a file beside the one that it was to change
        # What a killed run flipped and had no time to find or heal: flipped once more it would be sound, and nothing to find.
        repair(mending, audit(checking).damages)
        flips = choose_flips(archive.register)
        flip(archive.blobs("store"), flips)
        audited = audit(checking)
        if not demo.quiet:
            print_audited(audited)
        repaired = repair(mending, audited.damages)
        left = audit(checking)
    if not demo.quiet:
        print_repaired(repaired)
        print_audited(left)
    demo.summary["damage"] = {
        "flipped": len(flips),
        "found": sum(each.found_in(audited.damages) for each in flips),
        "healed": sum(not each.found_in(left.damages) for each in flips if each.member.path in repaired.healed),
        "pieces_refetched": repaired.piece_count,
        "bytes_refetched": repaired.refetched_bytes,
        "piece_bytes": archive.settings.piece_bytes,
    }


def _search(demo: _Demo, archive: Archive) -> None:
    """Search for something that is held."""
    demo.step(8, f"Search for “{QUERY}”")
    hits = archive.search.search(QUERY)
    demo.summary["search"] = {"query": QUERY, "hits": [hit_json(hit) for hit in hits]}
    if not demo.quiet:
        print_hits(hits, is_synthetic(archive.catalogue))


def _any_listener(archive: Archive) -> Any:
    """Return a socket on the settings' port, or on a free one when that is taken."""
    server = archive.settings.server
    try:
        return listen(server.host, server.port)
    except UsageError:
        return listen(server.host, 0)
