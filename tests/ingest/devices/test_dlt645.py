from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.devices import dlt645
from ingest.devices.faults import BadFrame, NoValue, OtherAnswer, Refused
from ingest.devices.frames import first_frame, why_none
from tests.ingest.devices.vectors import VECTORS, frame, name

GOOD = VECTORS["dlt645_2007"]
METER = "000000000001"


def item_of(di: str) -> dlt645.Item:
    return next(item for item in dlt645.items().values() if item.di == di)


@pytest.mark.parametrize("vector", GOOD, ids=name)
def test_every_frame_is_decoded_and_encoded(vector: dict[str, Any]) -> None:
    raw = frame(vector)
    found = dlt645.decode(raw)
    assert found.address == vector["address"]
    assert found.control == vector["control"]
    if "di" in vector:
        assert found.data[:4][::-1].hex().upper() == vector["di"]
    wake_up = len(raw) - len(raw.lstrip(b"\xfe"))
    assert dlt645.encode(found, wake_up=wake_up) == raw


@pytest.mark.parametrize("vector", [v for v in GOOD if "value" in v], ids=name)
def test_every_value_is_read_and_written(vector: dict[str, Any]) -> None:
    found = dlt645.decode(frame(vector))
    data, more = dlt645.data_of(found, dlt645.read_request(vector["address"], vector["di"]))
    item = item_of(vector["di"])
    (value,) = dlt645.values_of(item, data)
    assert (value.value, value.unit if vector["unit"] else "") == (Decimal(vector["value"]), vector["unit"])
    assert -value.value.as_tuple().exponent == vector["decimals"]  # type: ignore[operator]
    assert not more
    assert dlt645.bcd_bytes(value.value, item) == data


@pytest.mark.parametrize(
    ("number", "fault", "text"),
    [(0, BadFrame, "checksum must be 17"), (1, BadFrame, "20 bytes are required"), (2, NoValue, "BCD digits")],
)
def test_bad_frames_give_the_error_that_names_what_is_wrong(number: int, fault: type, text: str) -> None:
    def read() -> None:
        decoded = dlt645.decode(frame(VECTORS["dlt645_2007_bad"][number]))
        dlt645.values_of(item_of("00010000"), decoded.data[4:])

    with pytest.raises(fault, match=text):
        read()


def test_requests_are_those_of_the_vectors() -> None:
    assert dlt645.encode(dlt645.read_request(METER, "00010000")) == frame(GOOD[0])
    assert dlt645.encode(dlt645.read_address()) == frame(GOOD[3])


def test_refusal_says_why() -> None:
    refusal = dlt645.decode(frame(GOOD[-1]))
    with pytest.raises(Refused, match=r"no such data \(ERR 02\)"):
        dlt645.data_of(refusal, dlt645.read_request(METER, "00010000"))
    assert dlt645.error_text(b"\x00") == "refused (ERR 00)"
    assert dlt645.error_text(b"") == "refused without a reason"


def test_answer_of_another_meter_or_to_another_question_is_not_taken() -> None:
    answer = dlt645.answer_frame(METER, "00010000", bytes(4))
    with pytest.raises(OtherAnswer, match="of meter 000000000002"):
        dlt645.data_of(answer, dlt645.read_request("000000000002", "00010000"))
    with pytest.raises(OtherAnswer, match="identifier 00020000"):
        dlt645.data_of(answer, dlt645.read_request(METER, "00020000"))
    with pytest.raises(OtherAnswer, match="control 92"):
        dlt645.data_of(answer, dlt645.read_more(METER, "00010000", 1))


def test_tariffs_follow_the_total_and_frozen_ones_have_their_time() -> None:
    item = dlt645.items()["day_freeze_forward"]
    at = dlt645.frozen_time(bytes.fromhex("0000301126"))
    assert at == datetime(2026, 11, 30, 0, 0)  # noqa: DTZ001 - local time of the meter
    values = dlt645.values_of(item, bytes.fromhex("7856341200010000000200000003000000040000"), frozen_at=at)
    assert [(value.register, value.value) for value in values] == [
        ("main", Decimal("123456.78")),
        ("day_freeze_forward_t1", Decimal("1.00")),
        ("day_freeze_forward_t2", Decimal("2.00")),
        ("day_freeze_forward_t3", Decimal("3.00")),
        ("day_freeze_forward_t4", Decimal("4.00")),
    ]
    assert {value.at for value in values} == {at}
    assert dlt645.frozen_time(bytes(5)) is None  # never frozen


def test_more_data_comes_in_numbered_parts() -> None:
    request = dlt645.read_request(METER, "0001FF00")
    first = dlt645.Frame(METER, 0xB1, request.data + bytes(8))
    assert dlt645.data_of(first, request) == (bytes(8), True)
    more = dlt645.read_more(METER, "0001FF00", 1)
    last = dlt645.Frame(METER, 0x92, request.data + bytes(12) + b"\x01")
    assert dlt645.data_of(last, more) == (bytes(12), False)
    with pytest.raises(OtherAnswer, match="part 2"):
        dlt645.data_of(last, dlt645.read_more(METER, "0001FF00", 2))


def test_clock_is_read_and_one_that_is_none_is_a_fault() -> None:
    found = dlt645.clock_of(bytes.fromhex("01301126"), bytes.fromhex("563412"))
    assert found == datetime(2026, 11, 30, 12, 34, 56)  # noqa: DTZ001
    with pytest.raises(NoValue, match="date and a time"):
        dlt645.clock_of(bytes(4), bytes(3))


def test_frame_is_found_behind_noise_echo_and_half_frames() -> None:
    request = dlt645.encode(dlt645.read_request(METER, "00010000"))
    answer = dlt645.encode(dlt645.answer_frame(METER, "00010000", bytes(4)), wake_up=4)
    noise = b"\x00\x68\x31\x68" + answer[:9] + b"\xff\x68"
    found = first_frame(request + noise + answer, dlt645.FORMAT, lambda one: bool(one.control & 0x80))
    assert found is not None
    assert found[0].control == 0x91
    assert found[1] == len(request + noise + answer)
    assert "cut off" in str(why_none(answer[:12], dlt645.FORMAT))
    assert "nothing in time" in str(why_none(b"", dlt645.FORMAT))
    assert "checksum" in str(why_none(frame(VECTORS["dlt645_2007_bad"][0]), dlt645.FORMAT))
    assert "a frame is required" in str(why_none(b"\x01\x02", dlt645.FORMAT))


@given(st.decimals(-999999, 999999, places=2), st.sampled_from(["energy_combined", "power", "current_l1"]))
def test_signed_numbers_survive(value: Decimal, of: str) -> None:
    item = dlt645.items()[of]
    room = Decimal(10) ** (2 * item.size - item.decimals) * Decimal("0.8")
    value = (value % room).quantize(Decimal(1).scaleb(-item.decimals))
    assert dlt645.values_of(item, dlt645.bcd_bytes(value, item))[0].value == value


def test_addresses_that_are_none_are_refused() -> None:
    for address in ("1", "00000000000B", "0000000000001"):
        with pytest.raises(ValueError, match=r"12 digits|hexadecimal|fromhex"):
            dlt645.encode(dlt645.read_request(address, "00010000"))
