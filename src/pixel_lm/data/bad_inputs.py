"""What happens to lines, rows and files that cannot be read.

* `stop`, the default: the first of them is an error, whose message names file and line. Text that silently does not take part
  in a training is worse than a training that does not begin.
* `skip`: they are left out and counted, the first of them are shown. A damaged line or row costs that line or row; where a
  file is damaged, what comes before the damage is kept.

Only what lies inside the files is meant. Files that are missing, cannot be opened or cannot be fetched always stop.
"""

from __future__ import annotations

import logging
from typing import Literal, get_args

from pixel_lm.errors import UserError

logger = logging.getLogger(__name__)

BadInputPolicy = Literal["stop", "skip"]

_SHOWN = 5


class BadInputs:
    """Takes reports of what cannot be read: raises the first, or counts them.

    Args:
        policy: `stop` or `skip`.

    Raises:
        UserError: there is no such policy.
    """

    def __init__(self, policy: BadInputPolicy = "stop") -> None:
        if policy not in get_args(BadInputPolicy):
            raise UserError(f"on-bad-input is {policy!r}, but must be one of {', '.join(get_args(BadInputPolicy))}")
        self.policy = policy
        self.count = 0

    def __call__(self, error: UserError) -> None:
        """Report a bad input. Raises `error` under the policy `stop`."""
        if self.policy == "stop":
            raise error
        self.count += 1
        if self.count <= _SHOWN:
            logger.warning("skipped: %s", error)
        elif self.count == _SHOWN + 1:
            logger.warning("skipped: more of the like, counted at the end")

    def summarise(self) -> None:
        """Log how much was left out, if anything was."""
        if self.count:
            logger.warning("%d lines, rows or files could not be read and were left out", self.count)
