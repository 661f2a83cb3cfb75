"""`fonoteca promote`: a mirror goes on as an archive of its own when its origin is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import TerminalProgress, print_json, say
from fonoteca.cli.passphrases import ask_passphrase
from fonoteca.editions import promotion_json
from fonoteca.flows.promote import Promoted, promote
from fonoteca.stewardship import promote_rooms
from fonoteca.wiring import open_archive


@app.command("promote")
def promote_command(
    fork: Annotated[
        bool, typer.Option("--fork", help="Although the origin may be alive: two archives go on from here, each with its own root.")
    ] = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Make a mirror whose origin is gone an archive of its own: the same content and drops, and a new root of trust.

    It makes keys of its own and puts out the next edition, which says what it goes on from. No signature leads from the old root to
    the new one, so whoever followed the origin is refused until they name the new root. What the origin withdrew stays masked. The
    mirror follows its origin no more. Run it again after an interruption; once it is done, again changes nothing.
    """
    with open_archive(archive, writing=True) as opened:
        opened.passphrase = ask_passphrase
        promoted = promote(promote_rooms(opened, TerminalProgress(quiet=as_json)), fork=fork)
    if as_json:
        print_json(
            {
                "edition": promoted.number,
                "new": promoted.made,
                "root_sha256": promoted.root_sha256,
                "promoted_from": promotion_json(promoted.promotion),
                "left_out": list(promoted.left_out),
                "withdrawals_inherited": promoted.inherited,
            }
        )
    else:
        _print(promoted)


def _print(promoted: Promoted) -> None:
    """Print what a promotion came to, and what is to be told to whom."""
    before = promoted.promotion
    if not promoted.made:
        say(f"promoted before, on {before.at:%Y-%m-%d}: nothing was changed")
    else:
        say(f"edition {promoted.number} is this archive's own; it goes on from edition {before.edition} of its origin", "green")
        if promoted.left_out:
            say(f"{len(promoted.left_out)} drops that were never held here are not in it", "yellow")
        if promoted.inherited:
            say(f"{promoted.inherited} withdrawals of the origin are its own word now, and masked as before")
    say(f"old root: sha256 {before.root_sha256}")
    say(f"new root: sha256 {promoted.root_sha256}")
    say(
        "whoever followed the origin must name the new root, as no signature leads there: tell them by every way you have", "yellow"
    )
    say(f"  fonoteca follow YOUR-ADDRESS --root-sha256 {promoted.root_sha256}")
    say("its keys are in keys/: back them up; and publish every few days, as any archive does: fonoteca publish")
