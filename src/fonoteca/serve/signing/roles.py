"""What a route asks before it answers: `need(request, Role.CURATOR)`."""

from __future__ import annotations

from starlette.requests import Request

from fonoteca.people import Account, Role
from fonoteca.serve.problems import Problem
from fonoteca.serve.signing.who import signed_in as signed_in

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="fonoteca"'}


def need(request: Request, role: Role = Role.LISTENER) -> Account:
    """Return the account that asks, which may do what a role may.

    Raises: Problem, 401 for who is not signed in (the gate sends browsers to the sign-in page), 403 for another role.
    """
    account = signed_in(request)
    if account is None:
        raise unsigned()
    if not account.role.covers(role):
        raise Problem(
            403, f"This is for {'an' if role is Role.OPERATOR else 'a'} {role}. {account.name} is a {account.role}.", "role"
        )
    return account


def unsigned() -> Problem:
    """Return the answer to who has to sign in."""
    problem = Problem(401, "This needs an account. Sign in, or send an API key as `Authorization: Bearer`.", "signed-out")
    problem.headers = CHALLENGE
    return problem
