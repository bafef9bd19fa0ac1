"""IEC 60870-5-104 against a station of hat-drivers, our own simulated one, and a clock that the test moves."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics.domain.errors import ConfigurationError
from deploy.stack.ports import free_ports
from ingest.devices import iec104
from ingest.devices.faults import BadFrame, DeviceFault, NoAnswer, Refused
from ingest.devices.iec104 import Apdu, Asdu, Object
from ingest.gateway.config import parse_config
from ingest.gateway.drivers import DeviceConfig, driver_of
from ingest.gateway.extras.iec104 import K, Session, StationSilentError
from ingest.gateway.links import Link, LinkConfig
from ingest.gateway.rounds import DeviceState, readings_of
from ingest.gateway.simulate import SimulatedLink, register_at
from tests.ingest.gateway.extras.counterparts import counterpart

ZONE = ZoneInfo("Asia/Shanghai")
RECIPE = Path(__file__).parents[4] / "deploy" / "guides" / "recipes" / "iec104-points.toml"
MORE = '\n[[point]]\nname = "broken"\nobject = 102\nkind = "measured"\nunit = "kW"\n'


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    (tmp_path / "station.toml").write_text(RECIPE.read_text(encoding="utf-8") + MORE, encoding="utf-8")
    return tmp_path


def device(**facts: Any) -> DeviceConfig:
    plain = {"link": "a", "protocol": "iec104", "address": "1", "meter_no": "M1", "unit_code": "U1"}
    return DeviceConfig(**(plain | {"profile": "station"} | facts))


def link_to(port: int, timeout_s: float = 2.0) -> Link:
    return Link(LinkConfig(name="a", kind="tcp", host="127.0.0.1", tcp_port=port, timeout_s=timeout_s))


def test_a_station_that_nobody_here_wrote_is_read(profiles: Path) -> None:
    (port,) = free_ports(1)
    with counterpart("iec104", "hat_station.txt", port):
        link = link_to(port)
        for _ in range(3):  # the connection stays
            outcome = driver_of(device(), profiles).read(link)
            energy, power = outcome.values
            assert (energy.register, energy.value, energy.unit) == ("main", Decimal("123456.78"), "kWh")
            assert energy.at == datetime(2026, 11, 30, 8, 15, 30, 500_000)  # noqa: DTZ001 - wall clock of the station
            assert (power.register, power.value) == ("power", Decimal("1234.5"))
        for _ in range(30):  # its window is 3 and it tests after a second of silence: who does not answer loses it
            time.sleep(0.1)
            link.tend()
        outcome = driver_of(device(points=("energy_forward", "broken")), profiles).read(link)
        assert [fault.detail for fault in outcome.faults] == [
            "broken: a value of good quality is required (got invalid: 00 00 80 3F 80)"
        ]
        with pytest.raises(Refused, match="unknown common address"):
            driver_of(device(address="9"), profiles).read(link)
        assert link.stray_bytes == 0
        link.close()


def test_a_time_tag_is_the_time_of_the_reading(profiles: Path) -> None:
    (port,) = free_ports(1)
    with counterpart("iec104", "hat_station.txt", port):
        link = link_to(port)
        state = DeviceState(device(points=("energy_forward",)), driver_of(device(), profiles))
        outcome = driver_of(device(points=("energy_forward",)), profiles).read(link)
        (reading,) = readings_of(state, outcome, time.time(), ZONE, max_clock_error_s=300.0)
        link.close()
    assert reading.measured_us == datetime(2026, 11, 30, 8, 15, 30, 500_000, ZONE).timestamp() * 1e6


def test_our_simulated_station_answers(profiles: Path) -> None:
    config = LinkConfig(name="a", kind="tcp", host="127.0.0.1", tcp_port=free_ports(1)[0])
    meters = [device(points=("energy_forward", "power")), device(address="2", meter_no="M2")]
    far = SimulatedLink(config, meters, ZONE, profiles=profiles).start()
    link = Link(config)
    try:
        for meter in meters:
            values = {one.register: one for one in driver_of(meter, profiles).read(link).values}
            assert abs(values["main"].value - register_at(meter.meter_no, time.time())) < 1
            assert "power" in values
        with pytest.raises(Refused, match="unknown common address"):
            driver_of(device(address="3"), profiles).read(link)
    finally:
        link.close()
        far.close()


class Far:
    """The far end as a script: what it sends to what comes, by a clock that the test moves."""

    def __init__(self, answers: Callable[[Apdu], list[Apdu]] = lambda _: []) -> None:
        self.now, self.answers, self.waiting = 0.0, answers, b""
        self.came: list[Apdu] = []

    def write(self, data: bytes) -> None:
        apdu = iec104.decode(data)
        self.came.append(apdu)
        self.send(*self.answers(apdu))

    def send(self, *apdus: Apdu) -> None:
        self.waiting += b"".join(iec104.encode(one) for one in apdus)

    def read(self, timeout_s: float) -> bytes:
        data, self.waiting = self.waiting, b""
        if not data:
            self.now += timeout_s
        return data

    def discard(self) -> bytes:
        return b""

    def close(self) -> None:
        pass

    def session(self) -> Session:
        return Session(self, lambda: self.now)


def started(answers: Callable[[Apdu], list[Apdu]] = lambda _: []) -> tuple[Far, Session]:
    far = Far(lambda apdu: [Apdu("STARTDT con")] if apdu.kind == "STARTDT act" else answers(apdu))
    session = far.session()
    session.start()
    return far, session


VALUE = bytes.fromhex("0D 01 03 00 01 00 64 00 00 00 50 9A 44 00")


def test_a_station_that_does_not_start_is_given_up_after_t1() -> None:
    far = Far()
    with pytest.raises(StationSilentError, match="STARTDT"):
        far.session().start()
    assert far.now == 15.0


def test_a_silent_connection_is_tested_after_t3_and_given_up_t1_later() -> None:
    far, session = started()
    sent = {}
    for far.now in (19.9, 20.0, 34.9):
        session.tend()
        sent[far.now] = [one.kind for one in far.came[1:]]
    assert sent == {19.9: [], 20.0: ["TESTFR act"], 34.9: ["TESTFR act"]}
    far.now = 35.0
    with pytest.raises(StationSilentError, match="TESTFR"):
        session.tend()


def test_what_answers_the_test_is_kept() -> None:
    far, session = started(lambda apdu: [Apdu("TESTFR con")] if apdu.kind == "TESTFR act" else [])
    for far.now in (20.0, 30.0, 45.0, 65.0, 90.0):
        session.tend()
    assert [one.kind for one in far.came[1:]].count("TESTFR act") == 2


def test_every_w_values_are_acknowledged_and_the_rest_when_it_is_quiet() -> None:
    far, session = started()
    far.send(*(Apdu("I", i, 0, VALUE) for i in range(19)))
    session.tend()
    session.tend()
    assert [one.receive for one in far.came if one.kind == "S"] == [8, 16, 19]


def test_a_command_that_is_not_acknowledged_ends_the_connection_after_t1() -> None:
    far, session = started()
    with pytest.raises(NoAnswer):
        session.interrogate(iec104.COUNTER_INTERROGATION, 1, 2.0)
    far.now += 15.0
    with pytest.raises(StationSilentError, match="a command"):
        session.tend()


def test_a_station_that_never_stops_sending_does_not_keep_the_link() -> None:
    far, session = started()
    number = 0

    def read(timeout_s: float) -> bytes:
        nonlocal number
        assert timeout_s == 0.0
        number += 1
        return iec104.encode(Apdu("I", number - 1, 0, VALUE))

    far.read = read  # type: ignore[method-assign]  # a flood instead of what waits
    session.tend()
    assert 100 <= number <= 1000


def test_a_station_that_sends_objects_without_end_is_left() -> None:
    element = iec104.Asdu(
        type=15, cause=37, common_address=1, objects=tuple(iec104.Object(i, bytes(5)) for i in range(30))
    )
    asdu = iec104.encode_asdu(element)
    sent = 0

    def answers(apdu: Apdu) -> list[Apdu]:
        nonlocal sent
        if apdu.kind == "I":
            command = iec104.decode_asdu(apdu.asdu)
            confirmed = iec104.Asdu(
                type=command.type, cause=iec104.CONFIRMED, common_address=1, objects=command.objects
            )
            sent = 3001
            head = [Apdu("I", 0, 1, iec104.encode_asdu(confirmed))]
            return head + [Apdu("I", i, 1, asdu) for i in range(1, sent)]
        return []

    far, session = started(answers)
    with pytest.raises(BadFrame, match="at most 65536 objects"):
        session.interrogate(iec104.COUNTER_INTERROGATION, 1, 2.0)
    assert far.came


def test_no_more_than_k_commands_are_open() -> None:
    far, session = started()
    for number in range(K):
        with pytest.raises(NoAnswer):
            session.interrogate(iec104.COUNTER_INTERROGATION, 1, 0.01)
        assert far.came[-1].send == number
    with pytest.raises(StationSilentError):
        session.interrogate(iec104.COUNTER_INTERROGATION, 1, 0.01)
    assert sum(one.kind == "I" for one in far.came) == K


@pytest.mark.parametrize(
    ("apdu", "text"),
    [(Apdu("I", 1, 0, VALUE), "number 0 is required"), (Apdu("S", receive=1), "acknowledgement of 0 to 0")],
)
def test_numbers_out_of_order_are_a_bad_frame(apdu: Apdu, text: str) -> None:
    far, session = started()
    far.send(apdu)
    with pytest.raises(BadFrame, match=text):
        session.tend()


def test_noise_is_a_bad_frame_and_another_connection_is_opened(profiles: Path) -> None:
    opened = []

    def connect(_: LinkConfig) -> Far:
        far = Far(lambda apdu: [Apdu("STARTDT con")] if apdu.kind == "STARTDT act" else [])
        opened.append(far)
        if len(opened) == 1:
            far.waiting = b"\x00\x01noise"
        return far

    link = Link(LinkConfig(name="a", kind="tcp", timeout_s=0.01), opened=connect)
    with pytest.raises(BadFrame, match="an APDU is required"):
        driver_of(device(), profiles).read(link)
    with pytest.raises(NoAnswer, match="must confirm"):
        driver_of(device(), profiles).read(link)
    assert len(opened) == 2


def test_the_file_names_what_is_wrong(profiles: Path) -> None:
    head = '[gateway]\nid = "g"\nunit_code = "U1"\nprofiles = "."\n[[link]]\nname = "a"\n'
    tcp = 'kind = "tcp"\nhost = "127.0.0.1"\nport = 2404\n'
    row = '[[device]]\nlink = "a"\nprotocol = "iec104"\naddress = 1\nmeter_no = "M1"\nprofile = "station"\n'
    other = '[[device]]\nlink = "a"\nprotocol = "mbus"\naddress = 1\nmeter_no = "M2"\n'
    file = profiles / "gateway.toml"
    assert len(parse_config(head + tcp + row, file).devices) == 1
    for text, said in (
        (head + tcp + row.replace('"station"', '"none"'), "list of points in .*none.toml"),
        (head + tcp + row.replace("address = 1", "address = 0"), "common address, 1 to 65534"),
        (head + tcp + row + other, "devices of iec104 alone"),
        (head + 'kind = "serial"\nport = "/dev/null"\n' + row, "kind tcp"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            parse_config(text, file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "tables"),
        ('[[point]]\nname = "a"\nobject = -1\nunit = "kWh"', "object must be a number from 0"),
        ('[[point]]\nname = "a"\nobject = 1\nunit = "kWh"\nkind = "x"', "kind must be one of counter, measured"),
        ('[[point]]\nname = "a"\nobject = 1\nunit = "kWh"\nscale = "0"', "scale must be"),
        ('[[point]]\nname = "a"\nobject = 1\nunit = "kWh"\nioa = 1', "ioa is no setting"),
        ('[[point]]\nname = "a"\nobject = 1\n', "unit must be a text"),
        ('time = "x"\n[[point]]\nname = "a"\nobject = 1\nunit = "kWh"', "time must be local or utc"),
        ('default = ["b"]\n[[point]]\nname = "a"\nobject = 1\nunit = "kWh"', "default must be"),
    ],
)
def test_a_list_of_points_names_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "station.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said):
        driver_of(device(), tmp_path)


class Noise:
    """A station that confirms the start, and sends these bytes in parts when it is asked for something."""

    def __init__(self, parts: list[bytes]) -> None:
        self.parts, self.waiting, self.now = parts, [iec104.encode(Apdu("STARTDT con"))], 0.0

    def write(self, data: bytes) -> None:
        if iec104.decode(data).kind == "I":
            self.waiting, self.parts = self.waiting + self.parts, []

    def read(self, timeout_s: float) -> bytes:
        self.now += timeout_s
        return self.waiting.pop(0) if self.waiting else b""

    def discard(self) -> bytes:
        return b""

    def close(self) -> None:
        pass

    def clock(self) -> float:
        return self.now


def talked_to(seed: int, count: int) -> int:
    """Interrogations of stations that say something near to what is right; how many gave objects."""
    chance, good = random.Random(seed), 0
    command = iec104.interrogation(iec104.COUNTER_INTERROGATION, 1)
    counters = tuple(Object(one, bytes([one, 0, 0, 0, 0])) for one in range(1, 20))
    values = [Asdu(type=15, cause=37, common_address=1, objects=counters)] * 3
    said = [replace(command, cause=iec104.CONFIRMED), *values, replace(command, cause=iec104.TERMINATED)]
    sound = b"".join(iec104.encode(Apdu("I", i, 1, iec104.encode_asdu(one))) for i, one in enumerate(said))
    for _ in range(count):
        data = bytearray(sound)
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        step = chance.randrange(1, len(data) + 2)
        far = Noise([bytes(data[at : at + step]) for at in range(0, len(data), step)])
        session = Session(far, far.clock)
        try:
            session.start()
            good += bool(session.interrogate(iec104.COUNTER_INTERROGATION, 1, 2.0))
            session.tend()
        except (DeviceFault, StationSilentError):
            continue
    return good


def test_no_station_crashes_a_session() -> None:
    assert talked_to(1, 1000) > 500


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_station_of_a_million_crashes_a_session() -> None:
    print(f"{talked_to(2, 1_000_000)} of 1,000,000 gave objects")  # noqa: T201 - whoever runs it looks on
