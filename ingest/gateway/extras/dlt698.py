"""DL/T 698.45: a driver that reads without association or security, and the meter that `gateway simulate` plays."""

import struct
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from ingest.devices import dlt698
from ingest.devices.faults import DeviceFault, NoAnswer, NoValue, Refused
from ingest.devices.frames import first_frame
from ingest.gateway.drivers import DeviceConfig, Outcome, chosen_items
from ingest.gateway.links import Link

__all__ = ["DRIVER", "Dlt698", "SimulatedMeter"]


class Dlt698:
    """A meter by its address, without security. The clock is asked for once in `clock_every` readings."""

    clock_every = 24

    def __init__(self, device: DeviceConfig, _folder: Path | None = None) -> None:
        self._address, self._items = chosen_items(device, dlt698.items())
        self._numbers, self._turn = count(), 0

    def read(self, link: Link) -> Outcome:
        """Ask for all running attributes in one request, and for the newest record of each table of frozen ones."""
        outcome = Outcome(source="DL/T 698.45-2017; dlt698.toml")
        running = [item for item in self._items if not item.frozen_in]
        with_clock = self._turn % self.clock_every == 0
        self._turn += 1
        oads = list(dict.fromkeys([item.oad for item in running] + ([dlt698.CLOCK] if with_clock else [])))
        if oads:
            self._running(link, running, oads, outcome)
        for table in dict.fromkeys(item.frozen_in for item in self._items if item.frozen_in):
            try:
                self._frozen(link, table, outcome)
            except DeviceFault as fault:
                if isinstance(fault, NoAnswer) and not outcome.values:
                    raise
                outcome.faults.append(fault)
        if not outcome.values and outcome.faults:
            raise outcome.faults[0]
        return outcome

    def _running(self, link: Link, running: list[dlt698.Item], oads: list[str], outcome: Outcome) -> None:
        request = self._request(dlt698.get_list(oads, self._number()))
        found = dlt698.results_in(self._exchange(link, request), request)
        clock = found.get(dlt698.CLOCK)
        if isinstance(clock, dlt698.Typed):
            outcome.clock = dlt698.time_of(clock)
        for item in running:
            data = found.get(item.oad, NoValue(f"{item.name}: {item.oad} is required (the answer has none)"))
            try:
                if isinstance(data, DeviceFault):
                    raise data
                outcome.values += dlt698.values_of(item, data)
            except (NoValue, Refused) as fault:
                outcome.faults.append(fault)

    def _frozen(self, link: Link, table: str, outcome: Outcome) -> None:
        here = [item for item in self._items if item.frozen_in == table]
        # a table of frozen records keeps whole attributes: element 0 of each
        columns = {item.name: item.oad[:6] + "00" for item in here}
        oads = [dlt698.FREEZE_TIME, *dict.fromkeys(columns.values())]
        request = self._request(dlt698.get_newest(table, oads, self._number()))
        record = dlt698.record_in(self._exchange(link, request), request)
        at = dlt698.time_of(record.get(dlt698.FREEZE_TIME, dlt698.Typed(0, b"")))
        if at is None:
            raise NoValue(f"{here[0].name}: a record with its time is required (table {table} has none)")
        for item in here:
            if columns[item.name] in record:
                outcome.values += dlt698.values_of(item, record[columns[item.name]], frozen_at=at)

    def _number(self) -> int:
        return next(self._numbers) & 0x3F

    def _request(self, apdu: bytes) -> dlt698.Frame:
        return dlt698.Frame(self._address, dlt698.REQUEST, apdu)

    def _exchange(self, link: Link, request: dlt698.Frame) -> dlt698.Frame:
        def answers(frame: dlt698.Frame) -> bool:
            return dlt698.is_answer(frame) and dlt698.answers(frame, request)

        return link.exchange(b"\xfe" * 4 + dlt698.encode(request), dlt698.FORMAT, answers)


class SimulatedMeter:
    """A meter that answers GET; what it shows comes from the same functions as of the other simulated meters."""

    def __init__(
        self,
        device: DeviceConfig,
        zone: ZoneInfo,
        clock: Callable[[], float] = time.time,
        *,
        register: Callable[[str, float], Decimal],
        power: Callable[[str], Decimal],
    ) -> None:
        self._device, self._zone, self._clock = device, zone, clock
        self._register, self._power = register, power

    def answer(self, buffer: bytes) -> bytes | None:
        """What it answers to what is on the line; None where nothing is for it (yet)."""
        found = first_frame(buffer, dlt698.FORMAT, lambda frame: not dlt698.is_answer(frame))
        addresses = (self._device.address, dlt698.ANY_METER)
        if found is None or found[0].address not in addresses or found[0].apdu[:1] != b"\x05":
            return None
        apdu = found[0].apdu
        head = b"\x85" + apdu[1:3]
        if apdu[1] == 3:
            said = self._record(apdu)
        else:
            oads = apdu[4:-1] if apdu[1] == 2 else apdu[3:-1]
            said = (apdu[3:4] if apdu[1] == 2 else b"") + b"".join(
                oads[i : i + 4] + self._result(oads[i : i + 4].hex().upper()) for i in range(0, len(oads) - 3, 4)
            )
        answer = dlt698.Frame(self._device.address, dlt698.ANSWER, head + said + b"\0\0", found[0].client)
        return b"\xfe" * 4 + dlt698.encode(answer)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), self._zone)

    def _result(self, oad: str) -> bytes:
        if oad == dlt698.CLOCK:
            return b"\x01" + _time(self._now())
        if oad == dlt698.ADDRESS:
            return b"\x01\x09\x06" + bytes.fromhex(self._device.address)
        data = self._data(oad, self._clock())
        return b"\0\x06" if data is None else b"\x01" + data

    def _data(self, oad: str, at_s: float) -> bytes | None:
        item = next((one for one in dlt698.items().values() if one.oad == oad or one.oad == oad[:6] + "01"), None)
        if item is None:
            return None
        if item.unit != "kWh":
            number = self._power(self._device.meter_no) if item.unit == "kW" else Decimal(50)
            return b"\x05" + round(number.scaleb(item.decimals)).to_bytes(4, "big", signed=True)
        total = round(self._register(self._device.meter_no, at_s).scaleb(item.decimals))
        numbers = (total,) if oad[6:] != "00" else (total, total // 2, total - total // 2, 0, 0)
        kind = ">q" if item.decimals == 4 else ">I"
        parts = [(b"\x14" if kind == ">q" else b"\x06") + struct.pack(kind, one) for one in numbers]
        return parts[0] if oad[6:] != "00" else bytes([1, len(parts)]) + b"".join(parts)

    def _record(self, apdu: bytes) -> bytes:
        columns = apdu[9:-1]
        midnight = self._now().replace(hour=0, minute=0, second=0, microsecond=0)
        said = b"".join(
            _time(midnight) if oad == dlt698.FREEZE_TIME else self._data(oad, midnight.timestamp()) or b"\0"
            for oad in (columns[i + 2 : i + 6].hex().upper() for i in range(0, len(columns) - 5, 5))
        )
        return apdu[3:7] + columns + b"\x01\x01" + said


def _time(at: datetime) -> bytes:
    return b"\x1c" + struct.pack(">HBBBBB", at.year, at.month, at.day, at.hour, at.minute, at.second)


DRIVER: Final = Dlt698
