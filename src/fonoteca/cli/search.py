"""`fonoteca search WORDS` and `fonoteca show ID`: find what exists, and see what is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.coverage import is_synthetic, say_whether_synthetic
from fonoteca.cli.output import print_json, print_table, say
from fonoteca.cli.rights import IdArgument, parse_object_id
from fonoteca.formats.ocfl_history import VersionChange
from fonoteca.formats.quantities import show_bytes, show_duration, show_share
from fonoteca.model.errors import UsageError
from fonoteca.model.withdrawal import Purpose
from fonoteca.register import FileRow, ObjectRow, Register, Sieve
from fonoteca.search import Hit, HitKind
from fonoteca.wiring import open_archive

SHOWN_CHANGES = 20
"""Paths of a version that changed, for people; `--json` has all."""


@app.command("search")
def search_command(
    words: Annotated[list[str], typer.Argument(help="Words of titles, artists and releases.", metavar="WORDS")],
    limit: Annotated[int, typer.Option(help="How many to show.", min=1, max=100)] = 20,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Find tracks, artists and releases, the most heard first among those that match as well."""
    with open_archive(archive) as opened:
        found = opened.search.search(" ".join(words), limit)
        sieve = opened.register.withdrawals.sieve(Purpose.FINDING)
        hits = [hit for hit in found if not _is_withdrawn(opened.register, sieve, hit)]
        held = {hit.id: _objects(opened.register, sieve, hit) for hit in hits if hit.held}
        synthetic = is_synthetic(opened.catalogue)
    if as_json:
        shown = [hit_json(hit, held.get(hit.id, ())) for hit in hits]
        print_json({"query": " ".join(words), "synthetic": synthetic, "hits": shown})
    else:
        print_hits(hits, synthetic)
        for object_id in sorted({o for objects in held.values() for o in objects}):
            say(f"held: {object_id}", "green")


def print_hits(hits: Sequence[Hit], synthetic: bool) -> None:
    """Print what a search found. synthetic: the listening is made up."""
    rows = [(h.kind, h.title, h.artist, h.release, "held" if h.held else "", show_share(h.share)) for h in hits]
    print_table("found", ("", "title", "artist", "release", "", "of listening"), rows, numeric=(5,))
    say_whether_synthetic(synthetic and bool(hits))


def hit_json(hit: Hit, objects: Sequence[str] = ()) -> dict[str, Any]:
    """Return a hit as `--json` shows it. objects: ids of what is held of it."""
    return {
        "kind": hit.kind,
        "id": hit.id,
        "title": hit.title,
        "artist": hit.artist,
        "release": hit.release,
        "held": hit.held,
        "share": hit.share,
        "objects": list(objects),
    }


def _objects(register: Register, sieve: Sieve, hit: Hit) -> list[str]:
    """Return the ids of the objects that hold what was found, but for what is withdrawn."""
    if hit.kind is HitKind.RELEASE:
        return [hit.id] if hit.id.startswith("urn:fonoteca:") else []
    return sorted({file.object_id for file in sieve.files(_files(register, hit))})


def _is_withdrawn(register: Register, sieve: Sieve, hit: Hit) -> bool:
    """Whether all that is held of what was found was withdrawn. Of a release only its tracks are."""
    return hit.kind is not HitKind.RELEASE and sieve.hides(hit.held, _files(register, hit) if hit.held else [])


def _files(register: Register, hit: Hit) -> list[FileRow]:
    """Return the files that hold what was found: a track, or those of an artist."""
    return register.files_of_recording(hit.id) if hit.kind is HitKind.TRACK else register.files_by_artist(hit.title)


@app.command("show")
def show_command(
    object_id: IdArgument,
    with_versions: Annotated[bool, typer.Option("--versions", help="Show what each version changed instead of the files.")] = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show what is held under an id: its files, versions, licence, and when its bytes were last proved."""
    with open_archive(archive) as opened:
        row = opened.register.object(parse_object_id(object_id))
        if row is None:
            raise UsageError(object_id, "nothing is held under this id", "Find it with `fonoteca search WORDS`.")
        files = opened.register.files(row.object_id)
        versions = opened.register.versions(row.object_id)
        changes = opened.store.history(row.object_id) if with_versions else []
        mask = opened.register.withdrawals.mask(row.object_id)
    if with_versions:
        bytes_of = {version.version: version.version_bytes for version in versions}
        if as_json:
            print_json({"object": row.object_id, "versions": [change_json(c, bytes_of.get(c.version)) for c in changes]})
        else:
            print_changes(row, changes, bytes_of)
        return
    if as_json:
        print_json(
            {
                "object": row.object_id,
                "title": row.title,
                "artist": row.artist,
                "source": row.source_uri,
                "licence": row.licence_uri,
                "attribution": row.attribution,
                "folder": row.object_path,
                "quarantined_at": row.quarantined_at.isoformat() if row.quarantined_at else None,
                "quarantine": row.quarantine,
                "withdrawn": mask.tombstone.state if mask else None,
                "versions": [{"version": v.version, "created_at": v.created_at.isoformat()} for v in versions],
                "files": [file_json(file) for file in files],
            }
        )
        return
    say(f"{row.title} by {row.artist}" if row.artist else row.title, "bold")
    say(f"{row.object_id}  in {row.object_path}")
    say(f"licence {row.licence_uri}; {row.attribution}")
    if row.quarantined_at is not None:
        say(f"in quarantine since {row.quarantined_at:%Y-%m-%d}, neither served nor published: {row.quarantine}", "red")
    if mask is not None:
        said = mask.tombstone
        part = "" if said.whole else " in part"
        say(f"withdrawn{part} since {said.dates.effective_at:%Y-%m-%d} ({said.state}): {said.reason.words}; {said.ground}", "red")
    say(f"versions: {', '.join(f'v{v.version} of {v.created_at:%Y-%m-%d}' for v in versions)}")
    table = [
        (
            file.title,
            file.artist,
            show_duration(file.duration_ms) if file.duration_ms else "",
            file.codec or file.media_type,
            show_bytes(file.file_bytes),
            f"{file.checked_at:%Y-%m-%d}{' ' + file.damage if file.damage else ''}" if file.checked_at else "never",
        )
        for file in files
    ]
    print_table("files", ("title", "artist", "length", "format", "bytes", "proved"), table, numeric=(2, 4))


def print_changes(row: ObjectRow, changes: Sequence[VersionChange], bytes_of: Mapping[int, int]) -> None:
    """Print what each version changed. bytes_of: version to the bytes of its own folder."""
    say(f"{row.object_id}  in {row.object_path}", "bold")
    table = [
        (
            f"v{c.version}",
            f"{c.created_at:%Y-%m-%d %H:%M}",
            c.message,
            *(str(len(paths)) for paths in (c.added, c.changed, c.removed, c.kept)),
            show_bytes(bytes_of[c.version]) if c.version in bytes_of else "",
        )
        for c in changes
    ]
    columns = ("version", "made at (UTC)", "why", "added", "changed", "removed", "kept", "bytes of its own")
    print_table("versions", columns, table, numeric=(3, 4, 5, 6, 7))
    for c in changes[1:]:
        marked = [(mark, path) for mark, paths in (("+", c.added), ("~", c.changed), ("-", c.removed)) for path in paths]
        for mark, path in marked[:SHOWN_CHANGES]:
            say(f"v{c.version} {mark} {path}")
        if len(marked) > SHOWN_CHANGES:
            say(f"v{c.version} and {len(marked) - SHOWN_CHANGES} more")


def change_json(change: VersionChange, own_bytes: int | None) -> dict[str, Any]:
    """Return what a version changed as `--json` shows it. own_bytes: of its own folder, None when the register has it not."""
    return {
        "version": change.version,
        "created_at": change.created_at.isoformat(),
        "message": change.message,
        "added": list(change.added),
        "changed": list(change.changed),
        "removed": list(change.removed),
        "kept": list(change.kept),
        "content_files": change.content_count,
        "bytes": own_bytes,
    }


def file_json(file: FileRow) -> dict[str, Any]:
    """Return a file as `--json` shows it."""
    return {
        "path": file.logical_path,
        "stored_at": file.path,
        "title": file.title,
        "artist": file.artist,
        "duration_ms": file.duration_ms,
        "media_type": file.media_type,
        "codec": file.codec,
        "bytes": file.file_bytes,
        "sha256": file.stored.hashes.sha256,
        "damage": file.damage,
        "checked_at": file.checked_at.isoformat() if file.checked_at else None,
    }
