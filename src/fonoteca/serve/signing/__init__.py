"""Who asks: sign-in, sessions, API keys, and what an account may do here."""
