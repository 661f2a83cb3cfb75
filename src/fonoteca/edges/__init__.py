"""The outside world: disk, http, swarm, clock, workers (floor 2)."""
