"""`fonoteca keys`: who may sign editions, with which keys, and where these lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.lacks import lack_json, lack_said
from fonoteca.cli.output import print_json, print_table, say
from fonoteca.cli.passphrases import ask_passphrase, new_passphrase
from fonoteca.editions.trust import ID_SHOWN, PublicKey, Role, RoleSeen, Signing, open_key, parse_public, sign_staged
from fonoteca.flows.signing import Rekeyed, SigningRooms, add_key, change_threshold, revoke, rotate
from fonoteca.model.errors import UsageError
from fonoteca.vault import put_signed, read_key, read_stage, signing_rooms, take_offline, write_new_key, write_stage
from fonoteca.wiring import open_archive

keys_app = typer.Typer(no_args_is_help=True, help="Who may sign editions: see, make, rotate and revoke keys, and sign elsewhere.")
app.add_typer(keys_app, name="keys")

RoleArgument = Annotated[Role, typer.Argument(help="Whose key: root, targets, withdrawals, snapshot or timestamp.")]
StageOption = Annotated[
    Path | None,
    typer.Option("--stage", metavar="DIR", help="Write what must be signed elsewhere to this new folder, and change nothing yet."),
]
EncryptOption = Annotated[
    bool, typer.Option("--encrypt", help="Lock the new key with a passphrase (FONOTECA_KEY_PASSPHRASE, or asked for).")
]


@keys_app.command("show")
def show_command(archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Show which keys may sign, where they are, and for how long what they signed is good."""
    with open_archive(archive) as opened:
        seen = opened.editions.survey()
    if as_json:
        root = {"version": seen.root_version, "sha256": seen.root_sha256}
        print_json({"root": root, "roles": [_role_json(role) for role in seen.roles]})
        return
    rows = []
    for role in seen.roles:
        good = f"{role.expires_at:%Y-%m-%d}" if role.expires_at else ""
        for number, key in enumerate(role.keys):
            where = ("locked" if key.encrypted else "here") if key.here else "elsewhere"
            where = where if key.named or not role.version else f"{where}, may not sign"
            named = sum(each.named for each in role.keys) or len(role.keys)
            shown = (role.role, f"{role.threshold} of {named}", good) if number == 0 else ("", "", "")
            rows.append((*shown, key.key_id[:ID_SHOWN], where))
    print_table("", ("role", "must sign", "good until", "key", "where"), rows)
    if seen.root_version:
        say(f"root {seen.root_version}, sha256 {seen.root_sha256}: tell it to those who follow, for `follow --root-sha256`")


@keys_app.command("make")
def make_command(
    role: RoleArgument,
    out: Annotated[
        Path | None,
        typer.Option(help="Make it apart from any archive: a private FILE, and FILE.pub for `keys add`.", metavar="FILE"),
    ] = None,
    encrypt: EncryptOption = False,
    stage: StageOption = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Make one more key for a role, and let it sign. The root's keys must sign that."""
    passphrase = new_passphrase(encrypt)
    if out is None:
        _change(archive, stage, as_json, lambda rooms: add_key(rooms, role, _maker(rooms, passphrase), stage is not None))
        return
    public = write_new_key(out, role, passphrase)
    if as_json:
        print_json({"role": role, "key": public.keyid, "private": str(out), "public": f"{out}.pub"})
    else:
        say(f"made {public.keyid[:ID_SHOWN]} in {out}, which is private", "green")
        say(f"let it sign, where the archive is: fonoteca keys add {role} {out}.pub")


@keys_app.command("add")
def add_command(
    role: RoleArgument,
    public: Annotated[Path, typer.Argument(help="The public half: a .pub file that `keys make --out` wrote.", metavar="FILE")],
    stage: StageOption = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Let a key that was made elsewhere sign for a role."""
    key = _public(public)
    _change(archive, stage, as_json, lambda rooms: add_key(rooms, role, key, stage is not None))


@keys_app.command("rotate")
def rotate_command(
    role: RoleArgument,
    with_keys: Annotated[
        list[Path] | None, typer.Option("--with", help="Public halves of keys made elsewhere, in place of all.", metavar="FILE")
    ] = None,
    encrypt: EncryptOption = False,
    stage: StageOption = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Put new keys in place of those of a role that are here. The old ones are removed when the new ones are out."""
    public = [_public(path) for path in with_keys or []]
    passphrase = new_passphrase(encrypt)
    _change(archive, stage, as_json, lambda rooms: rotate(rooms, role, public or _maker(rooms, passphrase), stage is not None))


@keys_app.command("revoke")
def revoke_command(
    key_id: Annotated[str, typer.Argument(help="The first digits of its id, as `keys show` has it.", metavar="KEYID")],
    stage: StageOption = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Let a key sign no more. A role's last one is replaced by `keys rotate`."""
    _change(archive, stage, as_json, lambda rooms: revoke(rooms, key_id, stage is not None))


@keys_app.command("threshold")
def threshold_command(
    role: RoleArgument,
    count: Annotated[int, typer.Argument(help="How many of its keys must sign.", min=1, metavar="COUNT")],
    stage: StageOption = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say how many keys of a role must sign, so that one that is stolen is not enough."""
    _change(archive, stage, as_json, lambda rooms: change_threshold(rooms, role, count, stage is not None))


@keys_app.command("offline")
def offline_command(
    role: RoleArgument,
    folder: Annotated[Path, typer.Argument(help="Where the private keys go, such as a USB stick.", metavar="DIR")],
    encrypt: EncryptOption = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Move the private keys of root or targets out of the archive. `publish --stage` and `keys sign` go on from there."""
    if role not in (Role.ROOT, Role.TARGETS):
        raise UsageError(role, "`publish` signs with it every few days", "Only the keys of root and targets can lie elsewhere.")
    with open_archive(archive, writing=True) as opened:
        moved = take_offline(opened, role, folder, new_passphrase(encrypt), ask_passphrase)
    if as_json:
        print_json({"role": role, "keys": [key.key_id for key in moved], "folder": str(folder)})
    else:
        for key in moved:
            say(f"moved {key.name} to {folder}", "green")
        say("make a second copy of it: who loses the root's keys cannot replace any other")


@keys_app.command("sign")
def sign_command(
    file: Annotated[Path, typer.Argument(help="What `publish --stage` wrote, such as DIR/targets.json.", metavar="FILE")],
    key: Annotated[Path, typer.Option("--key", help="The private key.", metavar="FILE")],
    as_json: JsonOption = False,
) -> None:
    """Sign what was staged, on a machine that needs no archive and no network. `publish --finish` puts it out."""
    files = {**read_stage(file.parent)} if file.is_file() else {}
    if file.name not in files:
        raise UsageError(str(file), "no such staged file", "Name a file of the folder that `fonoteca publish --stage` wrote.")
    signer = open_key(str(key), read_key(key), ask_passphrase)
    content, done = sign_staged(file.name, files, signer)
    put_signed(file, content)
    if as_json:
        print_json({"file": str(file), **_signing_json(done)})
        return
    say(f"signed {done.role} {done.version}, good until {done.expires_at:%Y-%m-%d}, with {done.key_id[:ID_SHOWN]}", "green")
    if done.sha256:
        say(f"it binds {done.file_count} files; sha256 of its index.json: {done.sha256}")
    if done.missing is None:
        say("whether that is enough `publish --finish` says: no root lies beside it", "yellow")
    else:
        say(f"{done.missing} more must sign it" if done.missing else "signed by enough: fonoteca publish --finish DIR")


def _change(archive: Path, stage: Path | None, as_json: bool, change: Callable[[SigningRooms], Rekeyed]) -> None:
    """Change keys, write a stage if one is asked for, and say what became of it."""
    with open_archive(archive, writing=True) as opened:
        opened.passphrase = ask_passphrase
        done = change(signing_rooms(opened))
        if stage is not None:
            write_stage(stage, dict(done.files))
    if as_json:
        waits = [lack_json(lack) for lack in done.waits]
        staged = None if stage is None else str(stage)
        print_json({"role": done.role, "added": done.added, "removed": done.removed, "staged": staged, "waits_for": waits})
        return
    for word, ids in (("lets", done.added), ("lets no more", done.removed)):
        for key_id in ids:
            say(f"{word} {key_id[:ID_SHOWN]} sign for {done.role}", "green")
    if stage is None:
        say("it is out: mirrors learn of it when they next follow")
    for lack in done.waits:
        say(f"{stage}/{lack_said(lack)}", "yellow")
    if stage is not None:
        say(f"then: fonoteca publish --finish {stage}")


def _maker(rooms: SigningRooms, passphrase: str) -> Callable[[Role], PublicKey]:
    return lambda role: rooms.keyring.make(role, passphrase)


def _public(path: Path) -> PublicKey:
    return parse_public(str(path), read_key(path))


def _role_json(role: RoleSeen) -> dict[str, Any]:
    keys = [{"key": k.key_id, "may_sign": k.named, "here": k.here, "locked": k.encrypted} for k in role.keys]
    good_until = role.expires_at.isoformat() if role.expires_at else None
    return {"role": role.role, "threshold": role.threshold, "version": role.version, "good_until": good_until, "keys": keys}


def _signing_json(done: Signing) -> dict[str, Any]:
    return {
        "role": done.role,
        "version": done.version,
        "good_until": done.expires_at.isoformat(),
        "files": done.file_count,
        "index_sha256": done.sha256,
        "key": done.key_id,
        "signatures": done.signatures,
        "missing": done.missing,
    }
