"""Reports an analysis: text, tables, charts, page."""
