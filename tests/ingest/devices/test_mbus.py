from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from ingest.devices import mbus
from ingest.devices.faults import BadFrame, NoValue
from tests.ingest.devices.vectors import VECTORS, frame, name

FRAMES = VECTORS["mbus"]
UNITS = {"m^3": "m3", "m^3/h": "m3/h", "-": ""}


@pytest.mark.parametrize("vector", FRAMES, ids=name)
def test_every_record_is_that_of_the_published_answer(vector: dict[str, Any]) -> None:
    answer = mbus.decode(frame(vector))
    assert answer.id == vector["id"].zfill(8)
    assert answer.manufacturer == vector["manufacturer"]
    assert mbus.MEDIA[answer.medium] == vector["medium"]
    unread = [record for record in answer.records if record.fault]
    # the list of records that nobody read was made without the one with VIF 7B
    records = [record for record in answer.records if not record.fault]
    assert len(unread) == (vector["name"] == "sen_pollutherm")
    for record, wanted in zip(records, vector["records"], strict=True):
        assert _same(record, wanted), (record, wanted)


def _same(record: mbus.Record, wanted: dict[str, Any]) -> bool:
    if isinstance(record.value, datetime):
        return bool(record.value.isoformat().startswith(wanted["value"].removesuffix("Z")))
    if isinstance(record.value, str):
        return bool(record.value.replace(" ", "") == wanted["value"].replace(" ", ""))
    assert isinstance(record.value, Decimal)
    close = abs(record.value - Decimal(wanted["value"])) <= Decimal("0.000001")
    unit = UNITS.get(wanted["unit"], wanted["unit"])
    return bool(close and record.storage == wanted["storage"] and record.unit == unit)


@pytest.mark.parametrize("vector", FRAMES, ids=name)
def test_every_frame_is_built_again(vector: dict[str, Any]) -> None:
    raw = frame(vector)
    assert mbus.answer_frame(raw[4:-2]) == raw


@pytest.mark.parametrize(
    ("of", "main"),
    [
        ("frame2", "12.565 m3"),
        ("GWF-MTKcoder", "269 m3"),
        ("LGB_G350", "10834.092 m3"),
        ("filler", "5000 Wh"),
        ("emh_diz", "4090 Wh"),
        ("FIN-Finder-7E.23.8.230.0020", "1728680 Wh"),
        ("nzr_dhz_5_63", "1274 Wh"),
        ("sen_pollutherm", "8640000 Wh"),
        ("example_data_01", "1389817000 Wh"),
        ("els_tmpa_telegramm1", "1234.567 m3"),
        ("kamstrup_382_005", "0 Wh"),
        ("tecson", "45.6 m3"),
    ],
)
def test_main_register_of_every_meter(of: str, main: str) -> None:
    answer = mbus.decode(frame(next(vector for vector in FRAMES if vector["name"] == of)))
    value = next(value for value in answer.values() if value.register == "main")
    assert f"{value.value.normalize():f} {value.unit}" == main


def test_registers_of_a_heat_meter_and_the_meters_own_clock() -> None:
    heat = mbus.decode(frame(next(vector for vector in FRAMES if vector["name"] == "sen_pollutherm")))
    assert [value.register for value in heat.values()][:5] == [
        "main", "volume", "power", "supply_temperature", "return_temperature",
    ]  # fmt: skip
    assert heat.more
    gas = mbus.decode(frame(next(vector for vector in FRAMES if vector["name"] == "LGB_G350")))
    assert gas.values()[0].at == datetime(2016, 7, 22, 8, 0)  # noqa: DTZ001 - local time of the meter


def test_requests() -> None:
    assert mbus.reset(5).hex() == "1040054516"
    assert mbus.status_request(5).hex() == "105b056016"
    assert mbus.status_request(5, toggle=True).hex() == "107b058016"
    assert mbus.select("12345678").hex() == "680b0b6853fd5278563412ffffffffb216"
    with pytest.raises(ValueError, match="secondary address"):
        mbus.select("123")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda raw: raw[:-3], "bytes are required"),
        (lambda raw: raw[:-2] + b"\x00\x16", "checksum must be"),
        (lambda raw: raw[:-1] + b"\x17", "last byte"),
        (lambda _: b"\xe5", "an answer with data"),
        (lambda _: b"", "68 L L 68"),
        (lambda raw: mbus.answer_frame(raw[4:6] + b"\x73" + raw[7:-2]), "08 … 72"),
    ],
)
def test_bad_frames_name_what_is_wrong(change: Any, text: str) -> None:
    with pytest.raises(BadFrame, match=text):
        mbus.decode(change(frame(FRAMES[0])))


def test_meter_that_says_it_is_broken_gives_no_value() -> None:
    raw = bytearray(frame(FRAMES[0])[4:-2])
    raw[12] = 0x02  # application error
    with pytest.raises(NoValue, match="status is 02"):
        mbus.decode(mbus.answer_frame(bytes(raw))).values()
