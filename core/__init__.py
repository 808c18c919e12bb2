"""What happens to one upload, the same in every cloud. Imports the standard library and itself, nothing else."""
