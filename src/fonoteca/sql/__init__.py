"""What every room that keeps tables shares: the engine, on SQLite or PostgreSQL, and what is told when it fails."""
