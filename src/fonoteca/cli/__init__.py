"""The commands: parse, call, print, exit (floor 5)."""
