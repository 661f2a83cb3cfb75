"""`fonoteca backup` and `restore`: through the loss of a machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import TerminalProgress, print_json, say
from fonoteca.flows.backup import backup
from fonoteca.formats.quantities import show_bytes
from fonoteca.rescue import backup_rooms, private_file, restore_archive
from fonoteca.wiring import open_archive


@app.command("backup")
def backup_command(
    file: Annotated[Path, typer.Argument(help="Where to write it, such as jukebox.tar. Only you may read it: it has keys.")],
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Keep what no mirror has: settings, keys, evidence, editions, accounts, event log, register. The music is not in it."""
    with open_archive(archive, writing=True) as opened, private_file(file) as stream:
        kept = backup(backup_rooms(opened, TerminalProgress(quiet=as_json)), stream)
    file_bytes = file.stat().st_size
    if as_json:
        print_json({"file": str(file), "bytes": file_bytes, "files": dict(kept.part_files), "log_segments": kept.segment_count})
        return
    files = ", ".join(f"{count} of {part}" for part, count in kept.part_files.items())
    say(
        f"kept in {file}, {show_bytes(file_bytes)}: accounts, register, {kept.segment_count} segments of the log, files: {files}",
        "green",
    )
    say("it does not hold the music: mirrors do. Keep it on another machine, where only you can read it.")


@app.command("restore")
def restore_command(
    file: Annotated[Path, typer.Argument(help="A file that `fonoteca backup` made.")],
    folder: Annotated[
        Path, typer.Argument(help="Where the archive is to be: a new folder, or one that has only its store.", metavar="DIR")
    ],
    as_json: JsonOption = False,
) -> None:
    """Make an archive again from its backup; then `repair` fetches the music from mirrors."""
    restored = restore_archive(file, folder)
    if as_json:
        print_json(
            {
                "archive": str(folder),
                "name": restored.about.archive,
                "made_at": restored.about.made_at.isoformat(),
                "files": dict(restored.part_files),
                "events": restored.event_count,
                "store_is_newer": restored.newer,
            }
        )
        return
    say(f"made {restored.about.archive} in {folder} as it was on {restored.about.made_at:%Y-%m-%d at %H:%M} UTC", "green")
    if restored.newer:
        say(f"its store is newer than the backup; next: fonoteca rebuild --archive {folder}", "yellow")
    say(f"see what is missing: fonoteca audit --archive {folder}")
    say(f"fetch it from a mirror: fonoteca repair --from MIRROR --archive {folder}")
