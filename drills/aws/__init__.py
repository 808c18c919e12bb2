"""A local AWS: emulated storage, queue and table; Lambda's documented behaviour around Amazon's own runtime client."""
