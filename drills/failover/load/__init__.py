"""The clients: they share nothing with the product but its public API."""
