"""Groups of images that stay on one side of a split."""
