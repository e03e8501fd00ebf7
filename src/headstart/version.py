"""The version of the package, apart so that any module may import it."""

__version__ = "0.1.0"
