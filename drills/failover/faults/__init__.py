"""What a drill breaks, and how it is taken back."""
