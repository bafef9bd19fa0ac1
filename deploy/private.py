"""Files of a process are readable by its owner alone, whatever the shell it was started from allows."""

import os
from typing import Final

__all__ = ["UMASK", "keep_private"]

UMASK: Final = 0o077
"""Rights that no file or folder gives to the group or to others."""


def keep_private() -> None:
    """Let this process and its children make files for their owner alone; the first thing each entry point does."""
    os.umask(UMASK)
