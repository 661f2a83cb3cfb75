"""The commands by name: the module that has each, and the line that the list of commands gives it.

A command brings in rooms and their libraries, which takes seconds: only the one that is asked for is imported, and none to list
them. A test holds the table to the commands themselves.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module

from fonoteca.cli.app import app

COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("demo", "Run the whole corridor on real, openly licensed music, and end with the site."),
    "init": ("init", "Make a new, empty archive with its settings in fonoteca.toml."),
    "claim": ("init", "Make the store this archive's own: for when the archive that it belonged to is gone for good."),
    "catalogue": ("commands", "What music exists and how much of it is heard: import, build, look."),
    "coverage": ("coverage", "Show how much of all listening the most heard recordings carry, and how much is held."),
    "plan": ("plan", "Say what to hold next, so that the most listening is kept in a budget of bytes."),
    "acquire": ("acquire", "Take music from a source, if rights let us."),
    "analyse": (
        "analyse",
        "Decode the audio that was acquired with `--later`, on all workers, and say in a new version what each file is.",
    ),
    "rights": ("rights", "Why something may be held, what waits for a person, and their word on it."),
    "upload": (
        "upload",
        "Take in files of one release with what you say of their rights, through the same gates as everything else.",
    ),
    "correct": ("correct", "Put right what an item and its files are called, in a new version; the old one and the music stay."),
    "desk": ("desk", "What curators decided: carry it out, list, show, undo, retry, drop."),
    "withdraw": (
        "withdraw",
        "Withdraw an item: it is served, found, exported and seeded no more, here at once, and at mirrors when they look next.",
    ),
    "audit": ("audit", "Hold every byte that is due against its digest, and say which pieces are damaged."),
    "repair": ("audit", "Heal what the last audit found damaged: fetch only the damaged pieces, from any mirror, and prove them."),
    "rebuild": ("audit", "Make the register anew from the store's own bytes. It changes when all of it is made, or not at all."),
    "doctor": (
        "doctor",
        "Say what is wrong with an archive, and what to do. Changes nothing and hashes no music: that is what an audit is for.",
    ),
    "backup": (
        "backup",
        "Keep what no mirror has: settings, keys, evidence, editions, accounts, event log, register. The music is not in it.",
    ),
    "restore": ("backup", "Make an archive again from its backup; then `repair` fetches the music from mirrors."),
    "publish": ("publish", "Put out an edition: metadata first, then audio in order of popularity, then artwork."),
    "keys": ("keys", "Who may sign editions: see, make, rotate and revoke keys, and sign elsewhere."),
    "torrents": ("torrents", "List the drops of the edition that is out, or `check` the torrent files of others."),
    "follow": ("follow", "Become a mirror of an archive: fetch its drops, prove every byte, and hold them."),
    "promote": (
        "promote",
        "Make a mirror whose origin is gone an archive of its own: the same content and drops, and a new root of trust.",
    ),
    "seed": ("seed", "Give every drop that may be shared to whoever asks, from the store in place, until interrupted."),
    "search": ("search", "Find tracks, artists and releases, the most heard first among those that match as well."),
    "show": ("search", "Show what is held under an id: its files, versions, licence, and when its bytes were last proved."),
    "notice": ("notice", "What was sent by the site's form for notices: list, show, decide."),
    "account": ("account", "Who has an account on the site: add, change and remove them, and their keys."),
    "serve": ("serve", "Serve the site, the music that may be shared, and the edition, until interrupted."),
    "export": ("export_objects", "What is held, in forms that others read and hear."),
}
"""In the order of the list. `catalogue` has commands in several modules."""

_EVERYTHING = "fonoteca.cli.commands"
_COMPLETING = "_FONOTECA_COMPLETE"
"""What a shell sets when it asks how a line that is being typed may go on: then the words are not ours."""


def join_commands(words: Sequence[str]) -> None:
    """Make the command that a line asks for join the application; of the others, where they are only listed, name and line."""
    name = next((word for word in words if not word.startswith("-")), None)
    if _COMPLETING in os.environ or (name is not None and name not in COMMANDS):
        import_module(_EVERYTHING)
    elif name is not None:
        import_module(f"fonoteca.cli.{COMMANDS[name][0]}")
    else:
        for each, (_, line) in COMMANDS.items():
            app.command(each, help=line)(_only_listed)


def _only_listed() -> None:
    """Stand for a command in the list of them."""
    raise AssertionError("a command that is called is imported")
