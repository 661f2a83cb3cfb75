"""Fonoteca, a preservation archive for music that anyone may mirror."""

__version__ = "0.1.0"
