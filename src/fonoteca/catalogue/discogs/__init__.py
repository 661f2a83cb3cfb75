"""Discogs' dumps: XML to items, a release to rows."""
