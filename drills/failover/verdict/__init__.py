"""What became of every file, and the figures: pure functions of what was seen."""
