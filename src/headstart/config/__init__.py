"""From a command line to a checked configuration: composition, overrides, identity, validation."""
