"""Checks of array arguments of public functions, made before compiled code sees them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.domain.errors import ArrayError

__all__ = ["check_array", "check_columns"]


def check_array(name: str, array: object, dtype: npt.DTypeLike, *, size: int | None = None) -> None:
    """See that `array` is one-dimensional, of `dtype`, and of `size` elements where that is given.

    Raises
    ------
    ArrayError
        Naming the parameter, what it must be and what it is.

    Examples
    --------
    >>> check_array("at_us", np.zeros(2, np.int32), np.int64)
    Traceback (most recent call last):
        ...
    analytics.domain.errors.ArrayError: at_us must be a (n,) array of int64 (got (2,) int32)
    """
    wanted = np.dtype(dtype)
    fits = isinstance(array, np.ndarray) and array.dtype == wanted and array.ndim == 1
    if fits and (size is None or np.size(array) == size):  # type: ignore[arg-type]  # an array: `fits` says so
        return
    got = f"{array.shape} {_named(array.dtype)}" if isinstance(array, np.ndarray) else type(array).__name__
    raise ArrayError(f"{name} must be a ({'n' if size is None else size},) array of {_named(wanted)} (got {got})")


def check_columns(size: int, **columns: tuple[Any, npt.DTypeLike]) -> None:
    """`check_array` for parallel columns of `size` elements, each as ``name=(array, dtype)``; None is left out."""
    for name, (array, dtype) in columns.items():
        if array is not None:
            check_array(name, array, dtype, size=size)


def _named(dtype: np.dtype[Any]) -> str:
    return dtype.name if dtype.names is None else f"records of {len(dtype.names)} fields ({dtype.itemsize} bytes)"
