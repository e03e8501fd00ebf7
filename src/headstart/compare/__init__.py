"""What the runs of a sweep say, read from their files alone. Torch-free."""
