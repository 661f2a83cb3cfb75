"""OpenSubsonic: the archive as the players that people already use know it."""

from fonoteca.serve.subsonic.routes import Subsonic

__all__ = ["Subsonic"]
