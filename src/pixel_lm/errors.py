"""The one exception that a mistake of the user raises."""

from __future__ import annotations


class UserError(Exception):
    """Something that the user can put right: a missing file, a malformed line, an impossible option.

    The message is one line that names the file and line, or the argument, and says what to do. The command line prints it
    without a traceback and exits with status 2; library users can catch it.
    """


class StoppedBySignal(Exception):
    """A long run was asked to stop by a signal. Its state is saved, and the same command continues it."""
