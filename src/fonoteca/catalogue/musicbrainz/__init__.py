"""The MusicBrainz database dump: its schema, its COPY text, its archives, and the joins that make recordings of its tables."""
