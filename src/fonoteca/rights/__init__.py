"""May we hold it, share it, adapt it? Admissions, refusals and holds."""
