"""Values that every room speaks: frozen, slotted, complete. No socket, file, clock or randomness in here."""
