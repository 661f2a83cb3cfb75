"""Will they still be here in fifty years? OCFL object versions, fixity, repair."""
