"""Convolution as a sliding sum of products."""
