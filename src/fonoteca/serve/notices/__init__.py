"""Notices on the site: the form, and the receipt by which a sender sees what became of it."""
