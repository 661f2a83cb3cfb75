"""Who may do what: accounts, and what they sign in with. Kept apart from the register, which is made anew from the store."""

from fonoteca.people.nouns import Account, ApiKey, ClientSecret, Role, Session, Shown, SignIn
from fonoteca.people.passwords import Passwords, Seal
from fonoteca.people.people import People

__all__ = ["Account", "ApiKey", "ClientSecret", "Passwords", "People", "Role", "Seal", "Session", "Shown", "SignIn"]
