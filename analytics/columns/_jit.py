"""The one place that compiles: a typed door to numba's decorator."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

__all__ = ["compiled"]

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile `function` to machine code at its first call, and keep the code beside the module.

    The compiled code releases the interpreter lock, so a worker decodes the next blocks while it runs.
    """
    return cast("F", numba.njit(cache=True, nogil=True)(function))
