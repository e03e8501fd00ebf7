"""Plans and runs the jobs of a sweep."""
