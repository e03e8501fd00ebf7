"""Locality, weight sharing and translation equivariance."""
