"""The record of a detection, as the compiled register rules write it."""

import numpy as np

__all__ = ["EVENT_ROW"]

EVENT_ROW = np.dtype(
    [
        ("started", "<i8"), ("ended", "<i8"), ("decided", "<i8"), ("amount", "<i8"),
        ("before", "<f8"), ("at", "<f8"), ("after", "<f8"),
        ("point", "<i4"), ("installation", "<i4"), ("n", "<i4"), ("kind", "<i2"), ("scale", "<i2"),
    ]
)  # fmt: skip
