"""The report: one HTML file, and two reports side by side."""
