"""The report of a sweep: text, charts, page."""
