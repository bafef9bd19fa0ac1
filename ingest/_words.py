"""What a compiled scanner of short texts needs: eight bytes at once, and calls that cost nothing.

numba counts the references of every array at every call; in a scanner that calls a function for each letter or word
that is two thirds of the time. Functions marked here are compiled without these counts: they get arrays and make none.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

__all__ = ["first_byte", "inlined", "uncounted", "word"]

F = TypeVar("F", bound=Callable[..., object])


def uncounted(function: F) -> F:
    """Compile a function that makes no arrays, at its first call, and keep the code beside the module."""
    return cast("F", numba.njit(cache=True, nogil=True, _nrt=False)(function))


def inlined(function: F) -> F:
    """Compile a short function into those that call it."""
    return cast("F", numba.njit(cache=True, nogil=True, _nrt=False, forceinline=True)(function))


@intrinsic  # type: ignore[untyped-decorator]  # numba ships no types
def word(_context: Any, text: Any, at: Any) -> Any:  # noqa: ARG001 - the signature is what counts
    """Eight bytes of a uint8 array from `at` on, the first in the lowest byte; the array must reach so far."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return types.uint64(text, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def first_byte(_context: Any, _mask: Any) -> Any:
    """Place of the lowest byte that is not 0; the mask must not be 0."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        zeros = builder.cttz(arguments[0], cgutils.true_bit)
        return builder.lshr(zeros, ir.Constant(ir.IntType(64), 3))

    return types.intp(types.uint64), generate
