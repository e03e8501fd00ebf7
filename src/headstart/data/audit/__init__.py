"""Looks for what is wrong with a folder of images before anything trains."""
