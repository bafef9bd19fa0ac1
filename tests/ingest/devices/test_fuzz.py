"""Any bytes give values or one of the faults: bytes changed, cut, joined, and pure noise."""

import random
from collections.abc import Callable, Iterator

import pytest

from ingest.devices import cjt188, dlt645, dlt698, iec104, mbus, modbus, modbus_frames
from ingest.devices.faults import DeviceFault
from ingest.devices.frames import checksum, first_frame, why_none
from tests.ingest.devices.test_dlt698 import VECTORS as DLT698
from tests.ingest.devices.test_iec104 import VECTORS as IEC104
from tests.ingest.devices.vectors import VECTORS, frame

RTU = modbus_frames.Request(unit=3, function=3, address=10, count=4)
TCP = modbus_frames.Request(unit=3, function=4, address=10, count=4, framing="tcp", transaction=7)
PDUS = [bytes([3, 8, *range(8)]), bytes([0x83, 2]), bytes([4, 8, *range(8)]), bytes([0x84, 11])]
SOURCES = VECTORS | {
    "iec104": [one for one in IEC104["apdu"] if "type" in one],
    "dlt698": DLT698["frame"][1:6],
    "modbus-rtu": [{"frame": modbus_frames.encode_pdu(3, one, "rtu").hex()} for one in PDUS[:2]],
    "modbus-tcp": [{"frame": modbus_frames.encode_pdu(3, one, "tcp", 7).hex()} for one in PDUS[2:]],
}


def read_645(data: bytes) -> None:
    found = first_frame(data, dlt645.FORMAT)
    why_none(data, dlt645.FORMAT)
    answer = found[0] if found else dlt645.decode(data)
    request = dlt645.read_request(answer.address, answer.data[:4][::-1].hex().zfill(8))
    payload, _ = dlt645.data_of(answer, request)
    for item in dlt645.items().values():
        if item.di == answer.data[:4][::-1].hex().upper():
            dlt645.values_of(item, payload)
    if len(payload) == 5:
        dlt645.frozen_time(payload)


def read_188(data: bytes) -> None:
    found = first_frame(data, cjt188.FORMAT)
    why_none(data, cjt188.FORMAT)
    answer = found[0] if found else cjt188.decode(data)
    request = cjt188.read_request(answer.type, answer.address, sequence=0)
    cjt188.values_of(answer.type, cjt188.answer_of(answer, request))


def read_mbus(data: bytes) -> None:
    found = first_frame(data, mbus.FORMAT)
    why_none(data, mbus.FORMAT)
    mbus.decode(found[0] if found else data).values()


SPANS = [(profile, span) for profile in modbus.profiles().values() for span in modbus.spans(profile.points)]


def read_modbus(data: bytes) -> None:
    registers = [int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(data), 2)]
    profile, span = SPANS[sum(data) % len(SPANS)]
    for value in modbus.values_of(profile, span, registers[: span.count]):
        assert isinstance(value, DeviceFault) or value.value.is_finite()


def read_rtu(data: bytes) -> None:
    if len(data) > 4 and sum(data) % 2:  # a right checksum, so that the inside is reached
        data = modbus_frames.encode_pdu(data[0], data[1:-2], "rtu")
    read_frame(data, RTU)


def read_tcp(data: bytes) -> None:
    read_frame(data, TCP)


def read_frame(data: bytes, request: modbus_frames.Request) -> None:
    why_none(data, request.form)
    try:
        found = first_frame(data, request.form, request.accept)
    except DeviceFault:
        found = first_frame(data, request.form)  # another slave's, or another function
    answer = found[0] if found else request.form.parse(data)
    registers = modbus_frames.registers_in(answer)
    assert all(0 <= one <= 0xFFFF for one in registers)


def read_104(data: bytes) -> None:
    why_none(data, iec104.FORMAT)
    found = first_frame(data, iec104.FORMAT)
    apdu = found[0] if found else iec104.decode(data)
    asdu = iec104.decode_asdu(apdu.asdu)
    for one in asdu.objects:
        if asdu.type in iec104.ELEMENTS:
            assert iec104.value_of(asdu.type, one.element).is_finite()
    iec104.confirmation(iec104.interrogation(asdu.type, asdu.common_address), asdu)


def read_698(data: bytes) -> None:
    found = first_frame(data, dlt698.FORMAT)
    why_none(data, dlt698.FORMAT)
    # the two checks would keep nearly all of it out: what is inside is tried as it is
    answer = found[0] if found else dlt698.Frame("201709320072", dlt698.ANSWER, data[14:])
    number = answer.apdu[2] & 0x3F if len(answer.apdu) > 2 else 0
    for request in (
        dlt698.get_list(["00100200"], number),
        dlt698.get_list(["00100200", "20040200"], number),
        dlt698.get_newest("50040200", ["20210200", "00100200"], number),
    ):
        asked = dlt698.Frame(answer.address, 0x43, request)
        try:
            if request[1] == 3:
                said: dict[str, object] = dict(dlt698.record_in(answer, asked))
            else:
                said = dict(dlt698.results_in(answer, asked))
        except DeviceFault:
            continue
        for one in said.values():
            if isinstance(one, dlt698.Typed):
                dlt698.time_of(one)
                dlt698.values_of(dlt698.items()["energy_forward"], one)


CODECS: dict[str, tuple[Callable[[bytes], None], str]] = {
    "dlt645": (read_645, "dlt645_2007"),
    "cjt188": (read_188, "cjt188"),
    "mbus": (read_mbus, "mbus"),
    "modbus": (read_modbus, "mbus"),
    "modbus-rtu": (read_rtu, "modbus-rtu"),
    "modbus-tcp": (read_tcp, "modbus-tcp"),
    "iec104": (read_104, "iec104"),
    "dlt698": (read_698, "dlt698"),
}


def mutated(seed: int, count: int, sources: list[bytes]) -> Iterator[bytes]:
    chance = random.Random(seed)
    for _ in range(count):
        data = bytearray(chance.choice(sources))
        kind = chance.random()
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if kind < 0.5 and len(data) > 6:  # a right checksum, so that the inside is reached
            start = 4 if data[0] == 0x68 and data[3] == 0x68 else len(data) - len(bytes(data).lstrip(b"\xfe"))
            data[-1], data[-2] = 0x16, checksum(bytes(data[start:-2]))
        elif kind < 0.7:
            data = data[: chance.randrange(len(data))]
        elif kind < 0.8:
            data += chance.choice(sources)
        elif kind < 0.9:
            data = bytearray(chance.randbytes(chance.randrange(40)))
        yield bytes(data)


def fuzz(codec: str, count: int, seed: int) -> int:
    read, of = CODECS[codec]
    sources = [frame(vector) for vector in SOURCES[of]]
    good = 0
    for data in mutated(seed, count, sources):
        try:
            read(data)
        except DeviceFault:
            continue
        good += 1
    return good


@pytest.mark.parametrize("codec", CODECS)
def test_no_bytes_crash_a_codec(codec: str) -> None:
    assert fuzz(codec, 2000, seed=1) > 100  # the inside was reached


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("codec", CODECS)
def test_a_million_frames_do_not_crash_a_codec(codec: str) -> None:
    good = fuzz(codec, 1_000_000, seed=2)
    print(f"{codec}: {good} of 1,000,000 gave values")  # noqa: T201 - whoever runs it looks on
