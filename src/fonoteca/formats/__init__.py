"""Bytes to nouns and back: pure functions, no disk, no network (floor 1)."""
