"""The formats that histories of listens come in, and the ledger that adds them up without keeping who listened."""
