"""`fonoteca account`: who has an account, and what signs in to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import print_json, print_table, say
from fonoteca.cli.passphrases import ask_new_password
from fonoteca.model.errors import UsageError
from fonoteca.people import Account, ApiKey, ClientSecret, People, Role, Shown
from fonoteca.vault import carry_accounts, read_line
from fonoteca.wiring import open_archive

account_app = typer.Typer(no_args_is_help=True, help="Who has an account on the site: add, change and remove them, and their keys.")
app.add_typer(account_app, name="account")

NameArgument = Annotated[str, typer.Argument(help="The account's name, in whatever case.", metavar="NAME")]
RoleArgument = Annotated[Role, typer.Argument(help="listener, curator or operator; each may do what those before it may.")]
FileOption = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE", help="Take the password from the first line of a file, `-` for stdin."),
]
GenerateOption = Annotated[bool, typer.Option("--generate", help="Make a password, and say it once.")]
ForArgument = Annotated[
    str,
    typer.Argument(help="What it is for, such as `backup script`: one is made. Without, they are listed.", metavar="[FOR]"),
]
RevokeOption = Annotated[int | None, typer.Option("--revoke", metavar="NUMBER", help="Take one back, by its number in the list.")]


@account_app.command("list")
def list_command(archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """List who has an account."""
    with open_archive(archive) as opened:
        found = opened.people.all()
    if as_json:
        print_json({"accounts": [account_json(account) for account in found]})
        return
    rows = [(each.name, each.role, f"{each.created:%Y-%m-%d}", "disabled" if each.disabled else "") for each in found]
    print_table("", ("name", "role", "since", ""), rows)
    if not found:
        say("nobody yet; the first: fonoteca account add NAME --role operator, or the address that `fonoteca serve` says")


@account_app.command("add")
def add_command(
    name: Annotated[str, typer.Argument(help="What it is called, and signs in by.", metavar="NAME")],
    role: Annotated[Role, typer.Option(help="What it may do; each may do what those before it may.")] = Role.LISTENER,
    file: FileOption = None,
    generate: GenerateOption = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Add an account. Its password is asked for at the terminal, read from a file, or made; it is never an argument."""
    with open_archive(archive) as opened:
        password = _password(opened.people, file, generate)
        account = opened.people.add(name, password, role)
    _told(account, f"added {account.name}, {account.role}", as_json, password if generate else "")


@account_app.command("role")
def role_command(name: NameArgument, role: RoleArgument, archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Change what an account may do. Browsers that are signed in to it have to sign in again."""
    with open_archive(archive) as opened:
        account = _named(opened.people, name)
        opened.people.set_role(account.number, role)
        account = _named(opened.people, name)
    _told(account, f"{account.name} is {account.role} now", as_json)


@account_app.command("password")
def password_command(
    name: NameArgument,
    file: FileOption = None,
    generate: GenerateOption = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Give an account another password. Browsers that are signed in to it have to sign in again; keys and players go on."""
    with open_archive(archive) as opened:
        account = _named(opened.people, name)
        password = _password(opened.people, file, generate)
        opened.people.set_password(account.number, password)
    _told(account, f"{account.name} has another password", as_json, password if generate else "")


@account_app.command("disable")
def disable_command(name: NameArgument, archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Let nothing sign in to an account: no password, key or player. What it keeps stays."""
    _set_disabled(archive, name, as_json, disabled=True)


@account_app.command("enable")
def enable_command(name: NameArgument, archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Let an account that was disabled be signed in to again."""
    _set_disabled(archive, name, as_json, disabled=False)


@account_app.command("remove")
def remove_command(name: NameArgument, archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Remove an account and all that is kept for it: keys, players, favourites, playlists, what it heard."""
    with open_archive(archive) as opened:
        account = _named(opened.people, name)
        opened.people.remove(account.number)
    _told(account, f"removed {account.name}", as_json)


@account_app.command("key")
def key_command(
    name: NameArgument,
    label: ForArgument = "",
    revoke: RevokeOption = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Make, list or revoke the API keys of an account. A new one is said once."""
    with open_archive(archive) as opened:
        people = opened.people
        number = _named(people, name).number
        if revoke is not None:
            _check_there(revoke, people.keys(number))
            people.revoke_key(number, revoke)
        shown = people.add_key(number, label) if label else None
        found = people.keys(number)
    if as_json:
        print_json({"keys": [_kept_json(each) for each in found], "made": shown.number if shown else None, "key": _text(shown)})
    elif shown:
        say(shown.text)
        say("it is not said again; programs send it as: Authorization: Bearer KEY", "green")
    else:
        _list(found)


@account_app.command("player")
def player_command(
    name: NameArgument,
    label: ForArgument = "",
    revoke: RevokeOption = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Make, list or revoke the passwords that players of an account sign in by. A new one is said once."""
    with open_archive(archive) as opened:
        people = opened.people
        account = _named(people, name)
        if revoke is not None:
            _check_there(revoke, people.secrets(account.number))
            people.revoke_secret(account.number, revoke)
        shown = people.add_secret(account.number, label) if label else None
        found = people.secrets(account.number)
    if as_json:
        made = {"made": shown.number if shown else None, "user": account.name, "password": _text(shown)}
        print_json({"players": [_kept_json(each) for each in found], **made})
    elif shown:
        say(f"user name: {account.name}")
        say(f"password:  {shown.text}")
        say("type both into the player, with the site's address as its server; the password is not said again", "green")
    else:
        _list(found)


@account_app.command("carry")
def carry_command(archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Carry the accounts of people.sqlite, and what they keep, into the PostgreSQL that the settings name now."""
    with open_archive(archive) as opened:
        found = carry_accounts(opened)
    if as_json:
        print_json({"accounts": [account_json(account) for account in found]})
    else:
        say(f"carried {len(found)} accounts; people.sqlite is asked no more", "green")


def account_json(account: Account) -> dict[str, Any]:
    """Return what `--json` says of an account."""
    facts = {"number": account.number, "name": account.name, "role": str(account.role), "disabled": account.disabled}
    return {**facts, "created": account.created.isoformat()}


def _set_disabled(archive: Path, name: str, as_json: bool, *, disabled: bool) -> None:
    with open_archive(archive) as opened:
        opened.people.set_disabled(_named(opened.people, name).number, disabled)
        account = _named(opened.people, name)
    _told(account, f"{account.name} is {'disabled' if disabled else 'enabled'}", as_json)


def _named(people: People, name: str) -> Account:
    """Return the account of a name. Raises: UsageError."""
    account = people.named(name)
    if account is None:
        raise UsageError(name, "there is no account of this name", "`fonoteca account list` names them.")
    return account


def _password(people: People, file: Path | None, generate: bool) -> str:
    """Return a new password: made, read, or asked for. Raises: UsageError where nobody can be asked."""
    if generate:
        return people.new_password()
    if file is None:
        return ask_new_password()
    return sys.stdin.readline().rstrip("\r\n") if str(file) == "-" else read_line(file)


def _told(account: Account, words: str, as_json: bool, password: str = "") -> None:
    if as_json:
        print_json({"account": account_json(account), **({"password": password} if password else {})})
        return
    say(words, "green")
    if password:
        say(f"password: {password}")
        say("it is not said again; whoever gets it chooses another one on the page of the account")


def _check_there(number: int, found: list[ApiKey] | list[ClientSecret]) -> None:
    if number not in {each.number for each in found}:
        raise UsageError(str(number), "the account has none of this number", "List them: the same command without --revoke.")


def _list(found: list[ApiKey] | list[ClientSecret]) -> None:
    rows = []
    for each in found:
        used = f"{each.used:%Y-%m-%d}" if isinstance(each, ApiKey) and each.used else "never" if isinstance(each, ApiKey) else ""
        rows.append((str(each.number), each.name, f"{each.created:%Y-%m-%d}", used))
    print_table("", ("number", "for", "made", "last used" if found and isinstance(found[0], ApiKey) else ""), rows, (0,))


def _kept_json(each: ApiKey | ClientSecret) -> dict[str, Any]:
    facts: dict[str, Any] = {"number": each.number, "for": each.name, "made": each.created.isoformat()}
    if isinstance(each, ApiKey):
        facts["last_used"] = each.used.isoformat() if each.used else None
    return facts


def _text(shown: Shown | None) -> str | None:
    return shown.text if shown else None
