"""`fonoteca torrents`: see what is out; `fonoteca torrents check FILE...`: hold any torrent file against the rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.coverage import is_synthetic, say_whether_synthetic
from fonoteca.cli.output import print_json, print_table, say
from fonoteca.cli.publish import drop_json
from fonoteca.formats.quantities import show_bytes, show_share
from fonoteca.formats.torrentcheck import Verdict, check_torrent
from fonoteca.formats.torrentreading import TORRENT_BYTES_MAX
from fonoteca.formats.torrentrules import RULES
from fonoteca.model.errors import UsageError
from fonoteca.wiring import open_archive

EXIT_SOUND, EXIT_REFUSED = 0, 5

torrents_app = typer.Typer(invoke_without_command=True)
app.add_typer(torrents_app, name="torrents")


@torrents_app.callback()
def torrents_command(context: typer.Context, archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """List the drops of the edition that is out, or `check` the torrent files of others."""
    if context.invoked_subcommand is not None:
        return
    with open_archive(archive) as opened:
        index = opened.editions.index()
        entries = index.entries if index else ()
        synthetic = is_synthetic(opened.catalogue)
    if as_json:
        print_json({"edition": index.number if index else 0, "drops": [drop_json(e) for e in entries], "synthetic": synthetic})
    else:
        rows = [(e.id, str(e.file_count), show_bytes(e.drop_bytes), show_share(e.coverage_share), e.infohash_v2) for e in entries]
        title = f"edition {index.number}" if index else "nothing is published yet"
        print_table(title, ("drop", "files", "bytes", "of listening", "infohash (v2)"), rows, numeric=(1, 2, 3))
        say_whether_synthetic(synthetic and bool(entries))


@torrents_app.command("check")
def check_command(
    files: Annotated[list[Path], typer.Argument(help="Torrent files, v1, v2 or hybrid, whoever made them.", metavar="FILE...")],
    as_json: JsonOption = False,
) -> int:
    """Say of each torrent file whether it is sound, or every reason why it is refused, and what is unwise about it.

    No archive is needed, nothing is fetched and nothing written. The same rules hold for the torrents that `follow` takes.

    Exit status: 0 all sound, perhaps unwise; 5 at least one is refused; 2 a file is not there.
    """
    for path in files:
        if not path.is_file():
            raise UsageError(str(path), "there is no such file", "Give the paths of torrent files.")
    verdicts = [(path, _verdict(path)) for path in files]
    if as_json:
        sound = all(verdict.sound for _, verdict in verdicts)
        print_json({"sound": sound, "torrents": [verdict_json(path, verdict) for path, verdict in verdicts]})
    else:
        print_verdicts(verdicts)
    return EXIT_SOUND if all(verdict.sound for _, verdict in verdicts) else EXIT_REFUSED


def _verdict(path: Path) -> Verdict:
    """Return the verdict on a file. No more of it is read than a torrent file may have, and one byte."""
    try:
        with path.open("rb") as stream:
            content = stream.read(TORRENT_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(str(path), f"cannot be read: {error.strerror}", "Check the file.") from error
    return check_torrent(content)


def print_verdicts(verdicts: Sequence[tuple[Path, Verdict]]) -> None:
    """Print verdicts for people: a table of all, then what was found in each."""
    rows = []
    for path, verdict in verdicts:
        metainfo = verdict.metainfo
        count, size = (str(len(metainfo.files)), show_bytes(metainfo.payload_bytes)) if metainfo else ("", "")
        rows.append((path.name, _word(verdict), verdict.version, count, size))
    print_table("verdicts", ("torrent", "verdict", "version", "files", "bytes"), rows, numeric=(3, 4))
    for path, verdict in verdicts:
        found = [(finding.code, finding.place, finding.sentence) for finding in verdict.findings]
        if found:
            say()
            say(f"{path.name}: {_word(verdict)}", "bold")
            print_table("", ("code", "place", "what"), found)
        if sum(verdict.counts.values()) > len(found):
            say("in all: " + ", ".join(f"{code} {count} times" for code, count in verdict.counts.items()))
    refused = sum(not verdict.sound for _, verdict in verdicts)
    say(f"{len(verdicts) - refused} sound, {refused} refused", "red" if refused else "green")


def _word(verdict: Verdict) -> str:
    """Return a verdict in a word or two."""
    if not verdict.sound:
        return "refused"
    return "sound, but unwise" if verdict.warnings else "sound"


def verdict_json(path: Path, verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as `--json` shows it. What a refused torrent says of itself is not repeated."""
    metainfo = verdict.metainfo
    return {
        "path": str(path),
        "sound": verdict.sound,
        "version": verdict.version,
        "name": metainfo.name if metainfo else None,
        "infohash_v1": metainfo.infohash_v1 if metainfo else None,
        "infohash_v2": metainfo.infohash_v2 if metainfo else None,
        "files": len(metainfo.files) if metainfo else None,
        "bytes": metainfo.payload_bytes if metainfo else None,
        "piece_bytes": metainfo.piece_bytes if metainfo else None,
        "counts": dict(verdict.counts),
        "findings": [
            {
                "code": finding.code,
                "level": finding.level,
                "place": finding.place,
                "sentence": finding.sentence,
                "rule": RULES[finding.code][1],
            }
            for finding in verdict.findings
        ],
    }
