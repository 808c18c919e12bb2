"""The name that clients use: declared once, planned, and applied to every DNS host (`python -m handlers.dns`)."""
