"""The site and its files over HTTP (floor 3)."""
