"""Every figure that Fonoteca promises, measured on this machine: `make bench`, or `python -m bench NAME...`.

Each benchmark runs what it measures and a peer, or the limit that the machine sets, in one run on the same bytes.
"""
