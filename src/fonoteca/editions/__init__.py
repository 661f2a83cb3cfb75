"""Can everyone else keep them too? Drops, manifests and editions."""
