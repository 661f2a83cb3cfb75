"""One module a kind of import, each with a `KIND`."""
