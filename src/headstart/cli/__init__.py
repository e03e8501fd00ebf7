"""The command headstart."""
