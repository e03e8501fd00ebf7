"""Kernel stacks and skip connections."""
