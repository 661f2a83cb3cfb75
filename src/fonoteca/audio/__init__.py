"""Is it sound, and is it really music? Allowlist, full decode, tags, loudness."""
