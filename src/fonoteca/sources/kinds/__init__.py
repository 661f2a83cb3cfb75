"""One module a kind of source, each with a `SOURCE`."""
