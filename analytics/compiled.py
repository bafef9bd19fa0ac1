"""The one place that compiles: a typed door to numba's decorator.

numba keeps compiled code beside its module and takes it for old when that one file changes, though code and numbers of
other files may be compiled into it. Here it also becomes old with the files of the compiled functions that its module
has imported, and with the numbers that its module holds where the function begins, imported or its own. numba has no
public word for that, as it has none for `_nrt`; the lock holds its version.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.dispatcher import Dispatcher

__all__ = ["compiled", "compiled_plain"]

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile `function` to machine code at its first call, and keep the code beside the module.

    The compiled code releases the interpreter lock, so a worker decodes the next blocks while it runs.
    """
    return cast("F", _old_with_what_it_calls(numba.njit(cache=True, nogil=True)(function)))


def compiled_plain(function: F) -> F:
    """The same for a function that makes no arrays: those it is given are handed on without being counted.

    Counting references costs more than the work where small functions hand arrays on: without it the register rules'
    general path runs 1.6 to 1.7 times as fast (2.2 to 2.4 instead of 1.4 M readings/s, processor time, one run).
    """
    return cast("F", _old_with_what_it_calls(numba.njit(cache=True, nogil=True, _nrt=False)(function)))


def _old_with_what_it_calls(dispatcher: Any) -> Any:
    own = dispatcher.py_func
    kept = dispatcher._cache._cache_file  # noqa: SLF001 - see above
    others: list[Any] = [one for one in own.__globals__.values() if isinstance(one, Dispatcher)]
    imported = {
        one.py_func.__module__: one._cache._cache_file._source_stamp  # noqa: SLF001
        for one in others
        if one.py_func.__module__ != own.__module__
    }
    constants = _digest(own.__globals__)
    kept._source_stamp = (kept._source_stamp, constants, *sorted(imported.items()))  # noqa: SLF001
    return dispatcher


def _digest(names: Mapping[str, object]) -> str:
    """Digest of the numbers and arrays among a module's names."""
    numbers = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in names.items()
        if isinstance(value, int | float | np.ndarray | np.generic)
    }
    return hashlib.sha256(repr(sorted(numbers.items())).encode()).hexdigest()
