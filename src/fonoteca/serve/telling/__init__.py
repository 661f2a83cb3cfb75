"""What an archive tells of itself: coverage, drops, health, withdrawals, what it is, and how to object."""

from fonoteca.serve.telling.routes import TellingPages

__all__ = ["TellingPages"]
