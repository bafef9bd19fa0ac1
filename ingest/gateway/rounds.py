"""Rounds: when each device of a link is read, what becomes of it, and what is done when it fails.

A link has one worker, a thread, which reads its devices one after the other. Readings are taken at multiples of a
device's interval since local midnight; a round that comes too late is left out and counted, never piled up. A device
that does not answer costs its line one time-out a round, and after some rounds is asked more rarely.

Beside its values a device has a **status**: a reading of the register `device_status`, when it changes and each hour,
so that silence has a cause. It is one of

=====  ==============  ====================================================================
 code  name            the device
=====  ==============  ====================================================================
 0     ok              gives its main register, or all that was asked for
 1     no_answer       does not answer, or its line is gone
 2     bad_frame       answers with what is no frame: noise, wrong settings, two masters
 3     other_answer    another device answers in its place
 4     refused         answers that it does not have what was asked for
 5     no_value        answers without a usable value
 6     no_room         is not read, because the spool is full
=====  ==============  ====================================================================

and, where it has a clock, its difference from ours in seconds: the register `clock_offset`.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from ingest.devices.faults import BadFrame, DeviceFault, NoAnswer, OtherAnswer
from ingest.devices.values import Value
from ingest.gateway.commit import GroupCommit
from ingest.gateway.drivers import DeviceConfig, Driver, Outcome, driver_of, wanted_main
from ingest.gateway.links import Link
from ingest.gateway.spool import BLOCK, Entry, SpoolFull
from ingest.wire import MeterList, encode_block

__all__ = [
    "CLOCK_REGISTER",
    "STATUS_CODES",
    "STATUS_REGISTER",
    "DeviceState",
    "LinkWorker",
    "Reading",
    "Recorder",
    "RoundCounts",
    "next_due",
    "readings_of",
]

log = logging.getLogger("metering.gateway.rounds")

STATUS_REGISTER: Final = "device_status"
CLOCK_REGISTER: Final = "clock_offset"
STATUS_CODES: Final[Mapping[str, int]] = {
    "ok": 0, "no_answer": 1, "bad_frame": 2, "other_answer": 3, "refused": 4, "no_value": 5, "no_room": 6,
}  # fmt: skip
_STATUS_EVERY_S: Final = 3600.0
_CLOCK_EVERY_S: Final = 3600.0
_PATIENT: Final = 3  # failed rounds in a row before a device is asked more rarely
_RAREST: Final = 8
_FULL_PAUSE_S: Final = 5.0
_REGISTER_MARK: Final = "\x1f"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading of a device, ready to be sent.

    Attributes
    ----------
    measured_us, received_us : int
        [us since 1970-01-01 UTC]
    """

    register: str
    value: float
    unit: str
    measured_us: int
    received_us: int


@dataclass(slots=True)
class RoundCounts:
    """What a link has done."""

    reads: int = 0
    failures: int = 0
    readings: int = 0
    late_rounds: int = 0
    busy_s: float = 0.0


@dataclass(slots=True)
class DeviceState:
    """A device, and how it is.

    Attributes
    ----------
    status : str
        A name of `STATUS_CODES`, empty before the first reading.
    since_us : int
        Since when it is so. [us since 1970-01-01 UTC]
    detail : str
        What was required and what came.
    """

    config: DeviceConfig
    driver: Driver
    due_s: float = 0.0
    status: str = ""
    since_us: int = 0
    detail: str = ""
    failed_rounds: int = 0
    skip: int = 0
    told_status_s: float = -1e18
    told_clock_s: float = -1e18
    clock_offset_s: float | None = None
    last: dict[str, tuple[int, float]] = field(default_factory=dict)


def next_due(after_s: float, interval_s: int, zone: ZoneInfo) -> float:
    """The next multiple of an interval since local midnight. [s since 1970-01-01 UTC]

    Examples
    --------
    >>> next_due(1000.0, 900, ZoneInfo("Asia/Shanghai"))
    1800.0
    """
    local = datetime.fromtimestamp(after_s, zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    passed = int((after_s - midnight) // interval_s)
    following = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    return min(midnight + (passed + 1) * interval_s, following)


class Recorder:
    """Puts readings of devices into the spool; waits while it is full, for what is not read is read later.

    Parameters
    ----------
    commit : GroupCommit or None
        None: nothing is kept, as in a dry run.
    """

    def __init__(self, commit: GroupCommit | None, closing: threading.Event) -> None:
        self._commit, self._closing = commit, closing
        self.full = False

    def keep(self, device: DeviceConfig, readings: Sequence[Reading]) -> bool:
        """Keep readings of one device; False where the gateway is closed before there was room."""
        if not readings or self._commit is None:
            return True
        entry = entry_of(device, readings)
        while True:
            try:
                self._commit.submit([entry]).result()
            except SpoolFull as error:
                if not self.full:
                    log.error("devices are not read: %s", error)  # noqa: TRY400 - the message is all there is to it
                self.full = True
                if self._closing.wait(_FULL_PAUSE_S):
                    return False
            else:
                self.full = False
                return True


def entry_of(device: DeviceConfig, readings: Sequence[Reading]) -> Entry:
    """Readings of one device as a message."""
    registers = sorted({one.register for one in readings})
    units = sorted({one.unit for one in readings})
    names = [device.meter_no if one == "main" else device.meter_no + _REGISTER_MARK + one for one in registers]
    payload = encode_block(
        device.unit_code,
        meters=MeterList.of(names),
        meter=np.array([registers.index(one.register) for one in readings]),
        measured_at=np.array([one.measured_us for one in readings], np.int64),
        value=np.array([one.value for one in readings]),
        units=units,
        unit=np.array([units.index(one.unit) for one in readings]),
        received_at=np.array([one.received_us for one in readings], np.int64),
    )
    return Entry(device.unit_code, BLOCK, payload, len(readings), readings[-1].received_us)


def readings_of(
    state: DeviceState, outcome: Outcome, now_s: float, zone: ZoneInfo, *, max_clock_error_s: float
) -> list[Reading]:
    """Readings in a device's answer.

    The time of a value is the meter's own where it froze it, or where its clock agrees with ours; else that of the
    reading. What it said before, with the same time, is not said again.

    Parameters
    ----------
    now_s : float
        When it was read, by our clock. [s since 1970-01-01 UTC]
    max_clock_error_s : float
        How far a meter's clock may be off and still give the time of running registers. [s]
    """
    now_us = round(now_s * 1e6)
    offset_s = None
    if outcome.clock is not None:
        offset_s = _nearest(outcome.clock, now_s, zone).timestamp() - now_s
        state.clock_offset_s = offset_s
    running_us = now_us
    if offset_s is not None and abs(offset_s) <= max_clock_error_s:
        running_us = round((now_s + offset_s) * 1e6)
    readings: list[Reading] = []
    for value in outcome.values:
        register = state.config.registers.get(value.point, value.register)
        at_us = _time_of(value, outcome.clock, running_us, now_s, zone)
        number = float(value.value)
        if state.last.get(register) == (at_us, number):
            continue
        state.last[register] = (at_us, number)
        readings.append(
            Reading(register=register, value=number, unit=value.unit, measured_us=at_us, received_us=now_us)
        )
    if offset_s is not None and abs(now_s - state.told_clock_s) >= _CLOCK_EVERY_S:
        state.told_clock_s = now_s
        readings.append(
            Reading(register=CLOCK_REGISTER, value=round(offset_s, 1), unit="s", measured_us=now_us, received_us=now_us)
        )
    return readings


def _time_of(value: Value, clock: datetime | None, running_us: int, now_s: float, zone: ZoneInfo) -> int:
    if value.at is None or value.at == clock:
        return running_us
    at = value.at if value.at.tzinfo is not None else _nearest(value.at, now_s, zone)
    return (at.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def _nearest(local: datetime, now_s: float, zone: ZoneInfo) -> datetime:
    """Local time as an instant: in an hour that comes twice that which is nearer to now.

    Examples
    --------
    >>> berlin, now_s = ZoneInfo("Europe/Berlin"), datetime(2026, 10, 25, 1, 31, tzinfo=UTC).timestamp()
    >>> _nearest(datetime(2026, 10, 25, 2, 30), now_s, berlin).astimezone(UTC).hour
    1
    >>> _nearest(datetime(2026, 10, 25, 2, 30), now_s - 3600, berlin).astimezone(UTC).hour
    0
    """
    both = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return min(both, key=lambda at: abs(at.timestamp() - now_s))


class LinkWorker:
    """Reads the devices of one link, in a thread of its own, until it is closed.

    Parameters
    ----------
    max_clock_error_s : float
        As in `readings_of`. [s]
    told : callable
        Gets the state of a device after each reading.
    tick_s : float
        How often the clock is looked at, which somebody may set. [s]
    """

    def __init__(
        self,
        link: Link,
        devices: Sequence[DeviceConfig],
        recorder: Recorder,
        zone: ZoneInfo,
        *,
        profiles: Path | None = None,
        max_clock_error_s: float = 300.0,
        told: Callable[[DeviceState, Outcome | None], None] = lambda *_: None,
        clock: Callable[[], float] = time.time,
        tick_s: float = 1.0,
    ) -> None:
        self.link, self._recorder, self._zone, self._profiles = link, recorder, zone, profiles
        self._max_clock_error_s, self._told, self._clock, self._tick_s = max_clock_error_s, told, clock, tick_s
        self._changed = threading.Condition()
        self._closing = False
        self._states: dict[tuple[str, str, str, str], DeviceState] = {}
        self.counts = RoundCounts()
        self.set_devices(devices)
        self._thread = threading.Thread(target=self._run, name=f"link {link.config.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End after the exchange that is under way."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()
        self.link.close()

    def set_devices(self, devices: Sequence[DeviceConfig]) -> None:
        """Read these from now on; those that stay keep their state, and the link stays open."""
        now_s = self._clock()
        with self._changed:
            states = {}
            for config in devices:
                state = self._states.get(config.key)
                if state is None or state.config != config:
                    state = DeviceState(config, driver_of(config, self._profiles))
                    state.due_s = next_due(now_s, config.interval_s, self._zone)
                states[config.key] = state
            self._states = states
            self._changed.notify()

    def states(self) -> list[DeviceState]:
        """The devices and how they are."""
        with self._changed:
            return list(self._states.values())

    def _run(self) -> None:
        while True:
            state = self._next()
            if state is None:
                return
            try:
                self.round(state)
            except Exception:
                log.exception("link %s: device %s", self.link.config.name, state.config.meter_no)

    def _next(self) -> DeviceState | None:
        """The device that is due first, when it is due; None at the end. Until then the link is looked after."""
        while True:
            with self._changed:
                if self._closing:
                    return None
                self._mind_the_clock()
                state = min(self._states.values(), key=lambda one: one.due_s, default=None)
                wait_s = 3600.0 if state is None else state.due_s - self._clock()
                if state is not None and wait_s <= 0:
                    return state
                self._changed.wait(min(wait_s, self._tick_s))  # the clock may be set
            self.link.tend()

    def _mind_the_clock(self) -> None:
        """Where the clock was set back, what is due is due by the new time: the old one may be days ahead."""
        now_s = self._clock()
        for state in self._states.values():
            if state.due_s - now_s > state.config.interval_s:
                state.due_s = next_due(now_s, state.config.interval_s, self._zone)

    def round(self, state: DeviceState) -> None:
        """Read one device now, and settle when it is due again."""
        now_s = self._clock()
        config = state.config
        if now_s - state.due_s >= config.interval_s:
            self.counts.late_rounds += int((now_s - state.due_s) // config.interval_s)
        state.due_s = next_due(now_s, config.interval_s, self._zone)
        if state.skip:
            state.skip -= 1
            return
        begin = time.monotonic()
        outcome, fault = self._read(state)
        self.counts.busy_s += time.monotonic() - begin
        readings = self._settle(state, outcome, fault)
        self.counts.readings += len(readings)
        self._told(state, outcome)
        self._recorder.keep(config, readings)

    def _read(self, state: DeviceState) -> tuple[Outcome | None, DeviceFault | None]:
        """Read it; what was no frame, or somebody else's, is asked for once more."""
        for attempt in range(2):
            self.counts.reads += 1
            try:
                return state.driver.read(self.link), None
            except (BadFrame, OtherAnswer) as fault:
                if attempt:
                    return None, fault
            except DeviceFault as fault:
                return None, fault
            except Exception as error:
                log.exception("device %s on %s", state.config.meter_no, self.link.config.name)
                return None, BadFrame(f"{type(error).__name__}: {error}")
        raise AssertionError("two attempts either return or fail")

    def _settle(self, state: DeviceState, outcome: Outcome | None, fault: DeviceFault | None) -> list[Reading]:
        now_s = self._clock()
        readings: list[Reading] = []
        status, detail = "ok", ""
        if outcome is not None:
            readings = readings_of(state, outcome, now_s, self._zone, max_clock_error_s=self._max_clock_error_s)
            if outcome.faults and not wanted_main(outcome.values):
                fault = outcome.faults[0]
        if fault is not None:
            status, detail = fault.code, fault.detail
            self.counts.failures += 1
        self._back_off(state, failed=isinstance(fault, NoAnswer) and outcome is None)
        if status != state.status:
            state.status, state.since_us = status, round(now_s * 1e6)
            state.told_status_s = -1e18
            level = logging.INFO if status == "ok" else logging.WARNING
            log.log(level, "meter %s on %s: %s %s", state.config.meter_no, self.link.config.name, status, detail)
        state.detail = detail
        if abs(now_s - state.told_status_s) >= _STATUS_EVERY_S:  # the clock may be set back
            state.told_status_s = now_s
            now_us = round(now_s * 1e6)
            readings.append(
                Reading(
                    register=STATUS_REGISTER,
                    value=float(STATUS_CODES[status]),
                    unit="1",
                    measured_us=now_us,
                    received_us=now_us,
                )
            )
        return readings

    def _back_off(self, state: DeviceState, *, failed: bool) -> None:
        if not failed:
            state.failed_rounds = state.skip = 0
            return
        state.failed_rounds += 1
        beyond = state.failed_rounds - _PATIENT
        state.skip = min(2**beyond, _RAREST) - 1 if beyond > 0 else 0
