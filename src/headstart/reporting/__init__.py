"""Charts, HTML, number formats and the console, shared by all pages and commands."""
