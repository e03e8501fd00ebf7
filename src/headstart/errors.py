"""The one exception that a person is meant to read."""


class HeadstartError(Exception):
    """One line: what is wrong, with which thing, and the mend."""
