"""Acquire, publish, audit, follow: flows compose the rooms (floor 3)."""
