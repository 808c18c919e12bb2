"""What Sluice costs, compared with other handlers in one run on the same local servers."""
