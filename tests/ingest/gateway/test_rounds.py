import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from deploy.stack.ports import free_ports
from ingest.devices.faults import BadFrame, DeviceFault, NoAnswer, NoValue
from ingest.devices.values import Value
from ingest.gateway.commit import GroupCommit
from ingest.gateway.drivers import DeviceConfig, Outcome
from ingest.gateway.links import Link, LinkConfig
from ingest.gateway.rounds import DeviceState, LinkWorker, Recorder, next_due, readings_of
from ingest.gateway.simulate import SimulatedLink
from ingest.gateway.spool import Spool
from ingest.wire import Block, decode_records

ZONE = ZoneInfo("Asia/Shanghai")


def device(number: int = 1, **facts: Any) -> DeviceConfig:
    given: dict[str, Any] = {
        "link": "a", "protocol": "dlt645-2007", "address": f"{number:012d}", "meter_no": f"M{number}",
        "unit_code": "U1", "interval_s": 1,
    } | facts  # fmt: skip
    return DeviceConfig(**given)


class Script:
    """A driver that gives what it is told to."""

    def __init__(self, *outcomes: Outcome | DeviceFault) -> None:
        self.outcomes = list(outcomes)
        self.reads = 0

    def read(self, link: Link) -> Outcome:
        assert link.config.name
        self.reads += 1
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, DeviceFault):
            raise outcome
        return outcome


class Place:
    def __init__(self, folder: Path, **facts: Any) -> None:
        self.spool = Spool(folder)
        self.commit = GroupCommit(self.spool)
        self.now = 1_790_000_000.0
        link = Link(LinkConfig(name="a", kind="tcp", host="127.0.0.1", tcp_port=1))
        self.worker = LinkWorker(
            link, [device(**facts)], Recorder(self.commit, threading.Event()), ZONE, clock=lambda: self.now
        )
        (self.state,) = self.worker.states()

    def rounds(self, *outcomes: Outcome | DeviceFault, count: int = 1) -> Script:
        self.state.driver = script = Script(*outcomes)
        for _ in range(count):
            self.worker.round(self.state)
            self.now += 1
        return script

    def kept(self) -> list[tuple[str, float, str]]:
        found = []
        for stored in self.spool.read():
            blocks, faults = decode_records([stored.entry.payload], timestamps_us=[0], zone=ZONE)
            assert not faults
            found += [row for block in blocks for row in rows(block)]
        return found

    def close(self) -> None:
        self.worker.close()
        self.commit.close()
        self.spool.close()


def rows(block: Block) -> Iterator[tuple[str, float, str]]:
    for meter, value, unit in zip(block.meter, block.value.tolist(), block.unit, strict=True):
        yield block.meters.names[meter].replace("\x1f", "/"), value, block.units[unit]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


def until(condition: Callable[[], object], state: Callable[[], object] = lambda: "not in time") -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, state()
        time.sleep(0.02)


def statuses(worker: LinkWorker) -> dict[str, str]:
    return {state.config.meter_no: state.status for state in worker.states()}


def main(value: float, **facts: Any) -> Value:
    return Value(point="energy_forward", register="main", value=Decimal(str(value)), unit="kWh", **facts)


def test_values_and_a_status_are_kept_and_the_status_only_when_it_changes_or_each_hour(place: Place) -> None:
    place.rounds(*[Outcome(values=[main(i)]) for i in range(5)], count=5)
    kept = place.kept()
    assert [value for name, value, _ in kept if name == "M1"] == [0, 1, 2, 3, 4]
    assert [value for name, value, _ in kept if name == "M1/device_status"] == [0]
    place.now += 3600
    place.rounds(Outcome(values=[main(9)]))
    assert ("M1/device_status", 0.0, "1") in place.kept()


def test_failed_read_gives_no_value_but_says_why_and_since_when(place: Place) -> None:
    place.rounds(Outcome(values=[main(1)]))
    since = place.now
    place.rounds(NoAnswer("nothing in time"), count=3)
    assert (place.state.status, place.state.since_us) == ("no_answer", round(since * 1e6))
    assert place.state.detail == "nothing in time"
    place.rounds(NoValue("all ones"))
    place.rounds(Outcome(values=[main(2)]))
    kept = place.kept()
    assert [value for name, value, _ in kept if name == "M1/device_status"] == [0, 1, 5, 0]
    assert [value for name, value, _ in kept if name == "M1"] == [1, 2]


def test_device_without_its_main_register_is_not_well(place: Place) -> None:
    power = Value(point="power", register="power", value=Decimal(3), unit="kW")
    place.rounds(Outcome(values=[power], faults=[NoValue("energy: all ones")]))
    assert place.state.status == "no_value"
    assert ("M1/power", 3.0, "kW") in place.kept()


def test_noise_is_asked_for_once_more_and_silence_is_not(place: Place) -> None:
    assert place.rounds(BadFrame("noise"), Outcome(values=[main(1)])).reads == 2
    assert place.state.status == "ok"
    assert place.rounds(NoAnswer("nothing")).reads == 1


def test_dead_device_is_asked_more_rarely_and_at_once_again_when_it_answers(place: Place) -> None:
    script = place.rounds(NoAnswer("nothing"), count=40)
    assert 3 + 40 // 8 <= script.reads <= 12
    place.state.skip = 0
    script = place.rounds(Outcome(values=[main(1)]), count=5)
    assert script.reads == 5


def test_what_was_said_already_is_not_said_again(place: Place) -> None:
    at = datetime(2026, 11, 30, 8, 0)  # noqa: DTZ001 - local time of the meter
    place.rounds(
        *[Outcome(values=[main(1, at=at)])] * 3, Outcome(values=[main(2, at=at + timedelta(hours=1))]), count=4
    )
    assert [value for name, value, _ in place.kept() if name == "M1"] == [1, 2]


def test_meters_own_clock_gives_the_time_only_where_it_agrees_and_its_error_is_a_register() -> None:
    state = DeviceState(device(), Script())
    now_s = datetime(2026, 11, 30, 0, 0, 10, tzinfo=UTC).timestamp()
    clock = datetime(2026, 11, 30, 8, 0, 0)  # noqa: DTZ001 - local time of the meter
    outcome = Outcome(values=[main(1)], clock=clock)
    first, offset = readings_of(state, outcome, now_s, ZONE, max_clock_error_s=60.0)
    assert first.measured_us == round((now_s - 10) * 1e6)
    assert (offset.register, offset.value, offset.unit) == ("clock_offset", -10.0, "s")
    assert offset.measured_us == round(now_s * 1e6)
    far = Outcome(values=[main(2)], clock=clock.replace(year=2007))
    (second,) = readings_of(state, far, now_s + 5, ZONE, max_clock_error_s=60.0)
    assert second.measured_us == round((now_s + 5) * 1e6)


def test_frozen_value_has_the_time_of_its_freeze() -> None:
    state = DeviceState(device(), Script())
    frozen = main(1, at=datetime(2026, 11, 30))  # noqa: DTZ001 - local time of the meter
    (one,) = readings_of(state, Outcome(values=[frozen]), 1.79e9, ZONE, max_clock_error_s=60.0)
    assert one.measured_us == int(datetime(2026, 11, 29, 16, tzinfo=UTC).timestamp()) * 1_000_000


def test_rounds_are_at_multiples_of_the_interval_since_local_midnight() -> None:
    midnight = datetime(2026, 11, 30, tzinfo=ZONE).timestamp()
    assert next_due(midnight + 1, 900, ZONE) == midnight + 900
    assert next_due(midnight + 900, 900, ZONE) == midnight + 1800
    assert next_due(midnight + 86_399, 50_000, ZONE) == midnight + 86_400
    berlin = ZoneInfo("Europe/Berlin")  # a day of 25 hours
    begin = datetime(2026, 10, 25, tzinfo=berlin).timestamp()
    assert next_due(begin + 24.5 * 3600, 3600, berlin) == begin + 25 * 3600


def test_late_rounds_are_counted_and_not_made_up_for(place: Place) -> None:
    place.state.due_s = place.now - 10
    script = place.rounds(Outcome(values=[main(1)]))
    assert script.reads == 1
    assert place.worker.counts.late_rounds == 10
    assert place.state.due_s > place.now - 1


def test_a_clock_that_is_set_back_keeps_nobody_from_being_read(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.state.driver = script = Script(*[Outcome(values=[main(i)]) for i in range(9)])
    place.worker.start()
    place.now += 2
    until(lambda: script.reads == 1)
    place.now -= 86_400
    until(lambda: place.state.due_s <= place.now + 1)
    place.now += 2
    until(lambda: script.reads == 2)
    kept: list[str] = []

    def both() -> bool:
        kept.extend(name for name, *_ in place.kept())
        return kept.count("M1") == 2

    until(both, lambda: kept)
    assert kept.count("M1/device_status") == 2, "a day back is more than an hour"
    place.close()


def test_a_meter_in_the_hour_that_comes_twice_is_not_an_hour_wrong(place: Place) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    second = datetime(2026, 10, 25, 1, 31, tzinfo=UTC)  # 02:31 for the second time
    local = datetime(2026, 10, 25, 2, 31)  # noqa: DTZ001 - local time of the meter
    for at, fold in ((second - timedelta(hours=1), 0), (second, 1)):
        outcome = Outcome(values=[main(fold, at=local - timedelta(minutes=1))], clock=local)
        (reading, *_) = readings_of(place.state, outcome, at.timestamp(), berlin, max_clock_error_s=300.0)
        assert place.state.clock_offset_s == 0
        assert reading.measured_us == (at - timedelta(minutes=1)).timestamp() * 1e6


def test_full_spool_stops_the_rounds_until_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.gateway.rounds._FULL_PAUSE_S", 0.05)
    place = Place(tmp_path)
    place.spool._max_bytes = 0
    thread = threading.Thread(target=place.rounds, args=(Outcome(values=[main(1)]),))
    thread.start()
    time.sleep(0.3)
    assert thread.is_alive()
    place.spool._max_bytes = 2**30
    thread.join(60)
    assert ("M1", 1.0, "kWh") in place.kept()
    place.close()


def test_links_are_read_by_the_clock_and_devices_change_without_losing_the_line(tmp_path: Path) -> None:
    config = LinkConfig(name="a", kind="tcp", host="127.0.0.1", tcp_port=free_ports(1)[0], timeout_s=1.0)
    devices = [device(1), device(2), device(3)]
    far = SimulatedLink(config, devices, ZONE).start()
    far.mute.add("M2")
    spool = Spool(tmp_path)
    commit = GroupCommit(spool)
    worker = LinkWorker(Link(config), devices[:2], Recorder(commit, threading.Event()), ZONE)
    worker.start()
    until(lambda: statuses(worker) == {"M1": "ok", "M2": "no_answer"}, lambda: statuses(worker))
    transport = worker.link._transport
    assert transport is not None
    worker.set_devices([devices[0], devices[2]])
    until(lambda: statuses(worker) == {"M1": "ok", "M3": "ok"}, lambda: statuses(worker))
    assert worker.link._transport is transport
    worker.close()
    far.close()
    commit.close()
    names = {
        name
        for stored in spool.read()
        for block in decode_records([stored.entry.payload], timestamps_us=[0], zone=ZONE)[0]
        for name, _, _ in rows(block)
    }
    assert {"M1", "M1/power", "M1/clock_offset", "M1/device_status", "M2/device_status", "M3"} <= names
    assert "M2" not in names
    spool.close()
