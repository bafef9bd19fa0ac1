"""Faults of answers; the code of each kind becomes the status of the device.

::

    DeviceFault
    ├── NoAnswer      nothing came in time, or the line is gone
    ├── BadFrame      bytes came, and they are no frame of the protocol
    ├── OtherAnswer   a sound frame, of another device or to another question
    ├── Refused       the device answered with an error of its protocol
    └── NoValue       the answer holds no usable value: not BCD, all ones, bad quality
"""

from typing import ClassVar

from analytics.domain.errors import MeterwardenError

__all__ = ["BadFrame", "DeviceFault", "NoAnswer", "NoValue", "OtherAnswer", "Refused"]


class DeviceFault(MeterwardenError):  # noqa: N818 - a family, each member named after what happened
    """A reading that failed.

    Attributes
    ----------
    code : str
        The kind, in lower case, as it goes into statuses and metrics.
    detail : str
        What was required and what came.
    """

    code: ClassVar[str] = "device_fault"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NoAnswer(DeviceFault):
    """Nothing came in time, or the line is gone."""

    code = "no_answer"


class BadFrame(DeviceFault):
    """Bytes came that are no frame of the protocol: noise, a wrong checksum, half a frame."""

    code = "bad_frame"


class OtherAnswer(DeviceFault):
    """A sound frame of another device, or to another question."""

    code = "other_answer"


class Refused(DeviceFault):
    """The device answered with an error of its protocol."""

    code = "refused"


class NoValue(DeviceFault):
    """The answer holds no usable value: digits that are none, all ones, a quality that is bad."""

    code = "no_value"
