"""Heads that are fitted at once on the features of a frozen backbone."""
