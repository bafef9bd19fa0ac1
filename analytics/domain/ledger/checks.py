"""Checks within one row, after facts from other rows of the same point have been filled in."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger.draft import Draft
from analytics.domain.ledger.faults import LedgerFault
from analytics.domain.units import CARRIERS, KIND_TABLE, QuantityKind, unit_of
from analytics.domain.verification import consistent

__all__ = ["row_faults"]

Mask = NDArray[np.bool_]

_NEEDED_BY_A_METER = ("unit", "instrument", "installed_from")
_NEEDS_A_METER = ("serial_no", "verified_on", "installed_from", "installed_to", "first_reading", "last_reading")
_AUXILIARY = {"temperature": QuantityKind.TEMPERATURE, "pressure": QuantityKind.PRESSURE}


def _absent(draft: Draft, name: str) -> Mask:
    return np.asarray(~draft.given[name] & ~draft.bad[name], np.bool_)


def meters_whole(draft: Draft) -> Iterator[LedgerFault]:
    """Required cells of a row with a meter: unit, instrument, start of the installation."""
    for name in _NEEDED_BY_A_METER:
        yield from draft.faults(name, draft.has_meter & _absent(draft, name), "a value where meter_no is given")


def meter_named(draft: Draft) -> Iterator[LedgerFault]:
    """A row with facts about a meter must give its number; otherwise it would count as a point without a meter."""
    nameless = _absent(draft, "meter_no")
    telling = np.zeros(len(draft.line), np.bool_)
    for name in _NEEDS_A_METER:
        telling |= draft.given[name]

    def what(row: int) -> str:
        return f"nothing, beside {', '.join(name for name in _NEEDS_A_METER if draft.given[name][row])}"

    yield from draft.faults("meter_no", nameless & telling, "a management number where a meter is described", what)


def ends_after_start(draft: Draft) -> Iterator[LedgerFault]:
    """An installation ends after it begins; a last reading needs an end."""
    start, end = draft.rows.instant("installed_from"), draft.rows.instant("installed_to")
    known = draft.given["installed_from"] & draft.given["installed_to"]
    yield from draft.faults(
        "installed_to",
        known & (end <= start),
        lambda row: f"later than installed_from {draft.cell('installed_from', row)}",
    )
    yield from draft.faults(
        "installed_to",
        draft.has_meter & draft.given["last_reading"] & _absent(draft, "installed_to"),
        "an end where last_reading is given",
    )


def readings_on_the_dial(draft: Draft) -> Iterator[LedgerFault]:
    """First and last reading can be shown by the register."""
    full_scale = draft.rows.number("full_scale")
    for name in ("first_reading", "last_reading"):
        beyond = draft.given[name] & draft.given["full_scale"] & (draft.rows.number(name) >= full_scale)
        yield from draft.faults(name, beyond, lambda row: f"a dial value below full_scale {full_scale[row]:.15g}")


def verification_agrees(draft: Draft) -> Iterator[LedgerFault]:
    """Verified on, cycle and due do not contradict each other."""
    agrees = consistent(
        draft.rows.day("verified_on"), draft.rows.number("cycle_months"), draft.rows.day("verification_due")
    )

    def required(row: int) -> str:
        start = f"verified_on {draft.cell('verified_on', row)}"
        months = draft.rows.number("cycle_months")[row]
        return f"a day after {start}" if np.isnan(months) else f"{start} and {months:.0f} months on, or the day before"

    yield from draft.faults("verification_due", ~agrees, required)


def exemption_given(draft: Draft) -> Iterator[LedgerFault]:
    """A point that need not be metered has a reason."""
    exemption = draft.rows.text("exemption")
    silent = (exemption.codes == exemption.code_of("")) & ~draft.bad["exemption"]
    exempt = draft.given["required"] & ~draft.rows.flag("required")
    yield from draft.faults("exemption", exempt & silent, "a reason where required is no")


def units_fit(draft: Draft) -> Iterator[LedgerFault]:
    """The register's unit measures what flows, and what such an instrument shows."""
    matrix = draft.matrix()
    unit, carrier, instrument = (draft.rows.text(name) for name in ("unit", "carrier", "instrument"))
    known = draft.has_meter & draft.given["unit"]
    fits = matrix.canonical[carrier.codes, unit.codes] != 0

    def fitting(row: int) -> str:
        name = carrier.values[carrier.codes[row]]
        return f"a unit of {name}: one that converts to {' or '.join(each.symbol for each in CARRIERS[name])}"

    yield from draft.faults("unit", known & (matrix.defaults[carrier.codes] != 0) & ~fits, fitting)
    kind = KIND_TABLE[matrix.codes[unit.codes]]
    wanted_kind = np.array([_AUXILIARY.get(word, 0) for word in instrument.values], np.int16)[instrument.codes]
    shown_kind = np.where(np.isin(kind, list(_AUXILIARY.values())), kind, 0)
    odd = known & fits & draft.given["instrument"] & (wanted_kind != shown_kind)
    yield from draft.faults(
        "instrument",
        odd,
        lambda row: f"an instrument that shows {unit_of(int(matrix.codes[unit.codes[row]]))}",
    )


def place_whole(draft: Draft) -> Iterator[LedgerFault]:
    """Longitude and latitude stand together, and are no zeros put in for nothing."""
    longitude, latitude = draft.given["longitude"], draft.given["latitude"]
    yield from draft.faults("latitude", longitude & _absent(draft, "latitude"), "a latitude where longitude is given")
    yield from draft.faults("longitude", latitude & _absent(draft, "longitude"), "a longitude where latitude is given")
    both = longitude & latitude
    zeros = both & (draft.rows.number("longitude") == 0) & (draft.rows.number("latitude") == 0)
    yield from draft.faults("longitude", zeros, "a place on land: leave both cells empty where it is not known")


def row_faults(draft: Draft) -> Iterator[LedgerFault]:
    """All faults that can be found in a row by itself."""
    yield from meters_whole(draft)
    yield from meter_named(draft)
    yield from ends_after_start(draft)
    yield from readings_on_the_dial(draft)
    yield from verification_agrees(draft)
    yield from exemption_given(draft)
    yield from units_fit(draft)
    yield from place_whole(draft)
