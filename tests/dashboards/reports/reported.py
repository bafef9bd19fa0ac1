"""A unit's month as a report, made without a database."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from analytics.standards.energy import EnergyDays, unit_energy
from analytics.standards.facts import SelfCheck, load_facts
from analytics.standards.facts.allocations import Allocation
from analytics.standards.facts.products import Assignment
from analytics.standards.months import month_parts
from analytics.standards.products import Parts, product_energy
from dashboards.reports import UnitReport
from dashboards.reports.content import Difference, StockRow
from dashboards.reports.gathering import meter_rows
from ingest.standard_files import standards_from
from streams.compliance.evidence import Moment
from streams.compliance.judge import Judgement, review_of
from streams.rows.layout import StoredLedger
from tests.analytics.standards.judged import DAY, ZONE, judge, metered

__all__ = ["ROWS", "report"]

FIRST = DAY - 21  # 2026-11-01
ROWS: tuple[Mapping[str, object], ...] = (
    metered("E0", purpose="trade", unit_name="云澜<示范>化工 & 有限公司"),
    metered("E1", level="sub_unit", sub_unit="一车间", verification_due=DAY - 5, name="=1+1"),
    metered(
        "E2", level="equipment", sub_unit="一车间", equipment="1号空压机", accuracy_class="3", rated_power_kw=132.0
    ),
    {"point": "E3", "level": "equipment", "sub_unit": "一车间", "equipment": "2号空压机", "rated_power_kw": 110.0},
    metered("G0", carrier="natural_gas", instrument="gas_flow", unit="Nm3", accuracy_class="1.5"),
)


FORMS = load_facts(
    [
        {
            "staff": [
                {
                    "unit_code": "U",
                    "name": "王工",
                    "position": "计量管理员",
                    "duties": "台账",
                    "certificate": "JL-001",
                    "certificate_until": date(2027, 1, 31),
                },
                {"unit_code": "U", "name": "李工", "position": "抄表员"},
            ],
            "instrument": [{"unit_code": "U", "kind": "portable", "own_no": "BX-01", "name": "钳形功率表"}],
            "stock": [
                {
                    "unit_code": "U",
                    "energy": "coal",
                    "year": 2025,
                    "unit": "t",
                    "opening": 120,
                    "purchased": 1000,
                    "supplied": 20,
                    "closing": 100,
                    "consumed": 990,
                    "source": "统计台账",
                }
            ],
        }
    ]
)


def report() -> UnitReport:
    assessment = judge(
        [{"unit_name": "云澜<示范>化工 & 有限公司", **row} for row in ROWS],
        completeness=np.array([1.0, 0.99, 0.5, np.nan, 1.0]),
        at_risk=np.array([np.nan, 4321.0, np.nan, np.nan, np.nan]),
    )
    ledger = assessment.scene.ledger
    stored = StoredLedger(
        version=3,
        ledger=ledger,
        unit_ids=np.array([1], np.int32),
        point_ids=np.arange(1, 6, dtype=np.int32),
        meter_ids=np.arange(1, 5, dtype=np.int32),
        register_ids=np.arange(1, 5, dtype=np.int32),
    )
    standards = standards_from()
    days = np.arange(FIRST, DAY + 1)
    energies = [
        EnergyDays(carrier=carrier, symbol=symbol, day=days, amount=np.full(22, 1000.0), completeness=np.ones(22))
        for carrier, symbol in (("electricity", "kWh"), ("natural_gas", "Nm3"))
    ]
    about: dict[str, Any] = {
        "first_day": FIRST,
        "last_day": DAY,
        "unit_code": "U",
        "factors": standards.factors,
        "equal_value": standards.equal_value,
    }
    energy = unit_energy(energies, **about)
    sub_units = {"一车间": unit_energy(energies[:1], **about)}
    judgement = Judgement(
        moment=Moment.of(date(2026, 11, 22), now=datetime(2026, 11, 22, 6, tzinfo=UTC), zone=ZONE),
        standards=standards,
        stored=stored,
        assessment=assessment,
        energy_day=(energy,),
        energy_year=(energy,),
    )
    parts = month_parts(
        "2026-11", energy, sub_units, {("natural_gas", "锅炉房"): Allocation(share=100, source="管网图")}
    )
    return UnitReport(
        judgement=judgement,
        month="2026-11",
        first_day=date(2026, 11, 1),
        last_day=date(2026, 11, 22),
        energy=energy,
        days=energies,
        sub_units=sub_units,
        products=product_energy(
            {"水泥": (54.076, "t"), "熟料": (10.0, "t")},
            {"水泥": Assignment(sub_units=("一车间",), points=(), share=0, source="s")},
            Parts(whole=energy, sub_units=sub_units, points={}, point_sub_unit={}),
        ),
        changes=(),
        meters=meter_rows(judgement),
        review=review_of(judgement, 0),
        self_checks={2025: SelfCheck(done_day=DAY - 300, by="Wang", result="3 corrected", corrected_day=None)},
        staff=FORMS.staff_of("U"),
        instruments=FORMS.instruments_of("U"),
        stocks=[
            StockRow(energy="coal", year=2025, stock=FORMS.stocks["U", "coal", 2025], metered=985.5, days=360),
        ],
        parts=parts,
        differences=[
            Difference(date(2026, 11, 9), "E1", "M-E1", "electricity", "kWh", 52_125.5, 1_000.0, 53_125.5),
        ],
    )
