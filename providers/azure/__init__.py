"""Everything particular to Azure: Blob, Queue and Table Storage behind the core's ports, its events, its resources."""
