"""Are these the bytes? One pass that reads, hashes and stages."""
