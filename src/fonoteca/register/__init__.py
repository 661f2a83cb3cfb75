"""The transactional record of all that we hold."""
