"""The nouns of the archive: frozen dataclasses, ids and the error tree. Standard library only (floor 0)."""
