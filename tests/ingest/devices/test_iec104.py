import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.devices import iec104
from ingest.devices.faults import BadFrame, NoValue, Refused
from tests.ingest.devices.vectors import frame, name

VECTORS: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[2] / "golden" / "iec104_vectors.toml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("vector", VECTORS["apdu"], ids=name)
def test_every_apdu_is_decoded_and_encoded(vector: dict[str, Any]) -> None:
    raw = frame(vector)
    apdu = iec104.decode(raw)
    assert iec104.encode(apdu) == raw
    if "type" not in vector:
        assert apdu.kind == vector["name"]
        return
    assert (apdu.kind, apdu.send, apdu.receive) == ("I", vector.get("send", 0), vector["receive"])
    asdu = iec104.decode_asdu(apdu.asdu)
    assert (asdu.type, asdu.cause, asdu.common_address) == (vector["type"], vector["cause"], vector["common_address"])
    assert bool(asdu.objects) != vector.get("passed_over", False)
    if "values" in vector:
        said = [(one.address, round(iec104.value_of(asdu.type, one.element), 15)) for one in asdu.objects]
        assert said == [(at, Decimal(number)) for at, number in vector["values"]]
        assert {one.at for one in asdu.objects} == {vector.get("at")}


@pytest.mark.parametrize("vector", VECTORS["asdu"], ids=name)
def test_every_value_is_read_and_written(vector: dict[str, Any]) -> None:
    asdu = iec104.decode_asdu(frame(vector))
    (one,) = asdu.objects
    assert iec104.value_of(asdu.type, one.element) == Decimal(vector["value"])
    assert one.at == vector.get("at")
    assert iec104.encode_asdu(asdu) == frame(vector)


@pytest.mark.parametrize("vector", VECTORS["no_value"], ids=name)
def test_bad_quality_gives_no_value(vector: dict[str, Any]) -> None:
    asdu = iec104.decode_asdu(frame(vector))
    with pytest.raises(NoValue, match=vector["says"]):
        iec104.value_of(asdu.type, asdu.objects[0].element)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("", "got nothing"),
        ("68 03 07 00 00", "68, a length"),
        ("68 05 07 00 00 00", "as many bytes"),
        ("68 04 0F 00 00 00", "control field"),
        ("68 04 07 00 02 00", "control field"),
        ("68 04 00 00 00 00", "must have an ASDU"),
        ("68 05 01 00 02 00 01", "must have no ASDU"),
    ],
)
def test_bad_apdus_give_the_error_that_names_what_is_wrong(raw: str, text: str) -> None:
    with pytest.raises(BadFrame, match=text):
        iec104.decode(bytes.fromhex(raw))


def test_an_asdu_that_its_count_does_not_fit_is_refused() -> None:
    with pytest.raises(BadFrame, match="must have 16 bytes"):
        iec104.decode_asdu(bytes.fromhex("0F 02 25 00 01 00 01 40 00 4E 61 BC 00 03"))


def test_commands_only_ask() -> None:
    asked = [
        iec104.encode_asdu(iec104.interrogation(kind, 1)).hex()
        for kind in (iec104.GENERAL_INTERROGATION, iec104.COUNTER_INTERROGATION)
    ]
    # as hat-drivers encodes them; 05: all counters, FRZ = 0, neither frozen nor reset
    assert asked == ["64010600010000000014", "65010600010000000005"]


def test_a_refusal_says_why() -> None:
    command = iec104.interrogation(iec104.COUNTER_INTERROGATION, 1)
    answer = iec104.decode_asdu(bytes.fromhex("65 01 6E 00 01 00 00 00 00 05"))
    with pytest.raises(Refused, match="unknown common address"):
        iec104.confirmation(command, answer)
    with pytest.raises(Refused, match="negative confirmation"):
        iec104.confirmation(command, iec104.decode_asdu(bytes.fromhex("65 01 47 00 01 00 00 00 00 05")))


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**24 - 1))
def test_a_counter_comes_back(number: int, address: int) -> None:
    one = iec104.Object(address, number.to_bytes(4, "little", signed=True) + b"\0")
    asdu = iec104.Asdu(type=15, cause=37, common_address=7, objects=(one,))
    back = iec104.decode_asdu(iec104.encode_asdu(asdu))
    assert back == asdu
    assert iec104.value_of(15, back.objects[0].element) == number
