"""A seeded simulation of an archive over disks and object stores that fail: see docs/simulation.md."""

from fonoteca.testing.simulation.run import Outcome, simulate

__all__ = ["Outcome", "simulate"]
