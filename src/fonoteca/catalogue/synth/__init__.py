"""A synthetic catalogue of any size, for measurements: labelled as made up, with the truth beside it. See docs/synthetic.md.

Everything that is so of a recording, a release or an artist is a pure function of the seed and its number. So any block of rows
can say again what any recording is called, however far back it is, and memory does not grow with the duplicates.
"""
