"""What music exists, how much of it is heard, and what to hold next."""
