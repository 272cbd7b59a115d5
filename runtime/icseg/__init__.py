"""icseg: segment what a person says, and ask when it is not clear which thing is meant."""

__version__ = "0.1.0"
