"""The ports in plain memory: for the simulation, for benchmarks of the core, and as the contract's simplest reading."""
