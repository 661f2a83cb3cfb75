"""Shipped test suites, lying stores and strategies (floor 2)."""
