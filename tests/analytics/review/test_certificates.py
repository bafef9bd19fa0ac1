"""Certificates out of a table: heads in both languages, every fault at once."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest

from analytics.review.certificates import Certificate, certificate_rows

TODAY = date(2026, 12, 1)
HEADS = (
    "统一社会信用代码",
    "管理编号",
    "检定/校准",
    "证书编号",
    "检定机构",
    "检定日期",
    "检定结论",
    "有效期至",
    "检定周期",
    "扫描件",
)
GOOD: Sequence[object] = ("U", "M1", "检定", "J-1", "市计量院", "2026-03-01", "合格", "2027-02-28", "", "")


def row(**changed: object) -> Sequence[object]:
    names = ("unit", "meter", "kind", "number", "body", "on", "conclusion", "due", "cycle", "scan")
    return [changed.get(name, value) for name, value in zip(names, GOOD, strict=True)]


def test_rows_of_people() -> None:
    table = [
        ("计量器具检定情况",),
        (),
        HEADS,
        row(),
        (None,) * 10,
        row(meter="M2", on=datetime(2026, 1, 31, 9, tzinfo=UTC), due=None, cycle=13, scan="a.pdf"),
        row(meter="M3", kind="校准", due="", conclusion="准用"),
        row(meter="M4", conclusion="不合格", due="/"),
    ]
    rows, faults = certificate_rows(table, TODAY)
    assert faults == ()
    assert [one.row for one in rows] == [4, 6, 7, 8]
    assert rows[0].certificate == Certificate(
        unit_code="U", meter_no="M1", number="J-1", body="市计量院", conclusion="qualified",
        verified_on=date(2026, 3, 1), due=date(2027, 2, 28),
    )  # fmt: skip
    assert (rows[1].certificate.due, rows[1].scan) == (date(2027, 2, 27), "a.pdf")  # 13 months from a month's end
    assert [(one.certificate.kind, one.certificate.conclusion, one.certificate.due) for one in rows[2:]] == [
        ("calibration", "limited", None),
        ("verification", "failed", None),
    ]


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"on": ""}, "verified_on must be given"),
        ({"on": "2026-12-02"}, "verified_on must not be later than today, 2026-12-01"),
        ({"on": "2026-03"}, "verified_on must be a whole date"),
        ({"on": "x"}, "verified_on must be a date"),
        ({"due": "2026-02-28"}, "due must not be before verified_on, 2026-03-01"),
        ({"due": ""}, "due must be given for a verification that was passed"),
        ({"conclusion": "不合格"}, "due must be empty where the instrument failed"),
        ({"conclusion": "好"}, "conclusion must be"),
        ({"conclusion": ""}, "conclusion must be given"),
        ({"cycle": 1.5}, "cycle_months must be whole months from 1 to 600"),
        ({"body": ""}, "body must be a text of 1 to 200 letters"),
        ({"number": "J" * 201}, "number must be a text of 1 to 200 letters"),
        ({"meter": "a\x00b"}, "meter_no must be text without control characters"),
    ],
)
def test_a_fault_is_told_with_its_row(changed: dict[str, object], fault: str) -> None:
    rows, faults = certificate_rows([HEADS, row(**changed)], TODAY)
    assert not rows
    assert len(faults) == 1
    assert faults[0].startswith(f"row 2: {fault}")


def test_one_certificate_stands_once() -> None:
    _, faults = certificate_rows([HEADS, row(), row(body="other")], TODAY)
    assert faults == ("row 3: a certificate must stand once in the file (it is that of row 2)",)


def test_a_table_without_heads() -> None:
    _, faults = certificate_rows([("a", "b"), ("c", "d")], TODAY)
    assert "用能单位管理编号 (meter_no)" in faults[0]
