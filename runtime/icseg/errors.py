"""Every error icseg raises on purpose.

Wrong arguments of a call are plain ``ValueError`` with what was expected and what was got. The classes here are for
what a caller may want to catch: something outside the program was wrong, and the text says what to do about it.
"""


class IcsegError(Exception):
    """Base of all deliberate errors of icseg."""


class ConfigError(IcsegError):
    """A setting is unknown, of the wrong type or out of range; the text names field, value and allowed range."""


class SourceError(IcsegError):
    """A camera, video, folder or image could not be read, or gave something that is not a frame."""


class PlanMismatchError(IcsegError):
    """A model file is not what its manifest or the running code says it is; the text says what to rebuild."""


class ModelOutputError(IcsegError):
    """A model answered something outside the protocol. Recorded in the turn and retried within a bound."""


class BackendError(IcsegError):
    """An inference engine or a model server failed: not installed, unreachable, timed out or crashed."""


class PromptError(IcsegError):
    """A prompt cannot be used on this frame or by these graphs; the text says why."""


class Cancelled(IcsegError):
    """Work was stopped because the user said so; never an error to report."""
