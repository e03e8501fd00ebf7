"""Filters, feature hierarchy and Grad-CAM."""
