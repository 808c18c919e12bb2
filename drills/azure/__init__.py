"""Azure on this machine: Azurite, a stand-in for Event Grid, and a Functions host around Microsoft's Python runtime."""
