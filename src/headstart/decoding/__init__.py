"""From a file to pixels, at every bit depth."""
