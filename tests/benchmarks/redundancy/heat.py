"""Heat meters on real loads: what is real, what is simulated, and the faults that are put in.

Real: the course of the loads of `redundancy.worlds` by the hour. They are of electricity, for no set of heat meters
with volume and temperatures can be had; as heat they have what matters here, nights, weekends, outages and jumps.

Simulated: the course within the hour, as there; a circuit of 20 to 2,000 kW whose supply of 45 to 105 °C follows the
load and wanders; at two thirds of the meters a valve holds a difference of 8 to 40 K that shrinks with the load, at a
third the flow is constant, so that little load means a small difference; the flow sensor in the return pipe, at one
in four in the supply; the calculator's own error within the class; temperatures of 0.1 or 0.01 K, registers of 100 to
1,000 steps an hour at full load; all read every 15 minutes, at one in three every hour. Both sensors and the flow
sensor feed the calculator too, so their own errors do not contradict anything.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from analytics.domain.registers import FurtherRegister
from analytics.domain.water import density, enthalpy
from analytics.health.redundancy import Cause, Check
from tests.benchmarks.redundancy.worlds import START_US, Meter, World, minutes_of

__all__ = ["HEAT_CLASS", "HeatFault", "heat_meter_of"]

Floats = NDArray[np.float64]
HEAT_CLASS = 0.02
_KELVIN = np.arange(0.0, 150.0, 0.05)
_ENTHALPY, _DENSITY = enthalpy(_KELVIN), density(_KELVIN)
_SENSOR = {Cause.SUPPLY_STUCK: 0, Cause.RETURN_STUCK: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatFault:
    """What goes wrong from a day on: the energy counts `ratio` times what it should, or a sensor fails."""

    cause: Cause
    from_day: float
    ratio: float = 1.0


def heat_meter_of(world: World, seed: int, *, days: int, fault: HeatFault | None = None) -> Meter:
    """A heat meter on the course of a load."""
    rng = np.random.default_rng([seed, zlib.crc32(world.name.encode())])
    hours = min(days * 24, len(world.hourly))
    peak = 10.0 ** rng.uniform(1.3, 3.3)  # kW
    demand = minutes_of(rng, world.hourly[:hours]) * (peak / max(float(world.hourly.max()), 1e-9))
    load = np.repeat(world.hourly[:hours] / max(float(world.hourly.max()), 1e-9), 60)
    supply = rng.uniform(45.0, 75.0) + rng.uniform(5.0, 30.0) * load + _wander(rng, len(load), 1.0)
    design, constant = rng.uniform(8.0, 40.0), rng.uniform() < 1 / 3
    difference = design * (load if constant else 0.4 + 0.6 * load) + (0.0 if constant else _wander(rng, len(load), 0.7))
    temperature = np.array([supply, np.clip(supply - np.maximum(difference, 0.05), 1.0, None)])
    in_supply = rng.uniform() < 0.25
    flow = demand / _heat(temperature, in_supply=in_supply)
    after = np.arange(len(load)) >= (fault.from_day if fault else np.inf) * 1440
    if fault and fault.cause in _SENSOR and after.any():
        temperature[_SENSOR[fault.cause], after] = temperature[_SENSOR[fault.cause], np.argmax(after)]
    if fault and fault.cause is Cause.EXCHANGED:
        temperature = np.where(after, temperature[::-1], temperature)
    error = 1.0 + rng.uniform(-HEAT_CLASS, HEAT_CLASS)
    ratio = np.where(after, fault.ratio if fault else 1.0, 1.0)
    counted = np.maximum(flow * _heat(temperature, in_supply=in_supply), 0.0) * error * ratio
    every = 60 if rng.uniform() < 1 / 3 else 15
    place = np.arange(0, len(load) - 1, every)
    columns = [
        np.round(temperature[:, place], int(rng.integers(1, 3))),
        _dial(flow, place, float(flow.max()), rng)[None],
        _dial(counted, place, peak / 60.0, rng)[None],
    ]
    volume = FurtherRegister.VOLUME_SUPPLY if in_supply else FurtherRegister.VOLUME
    names = [FurtherRegister.SUPPLY_TEMPERATURE, FurtherRegister.RETURN_TEMPERATURE, volume, 0]
    return Meter(
        check=Check.HEAT,
        register=np.tile(np.array(names, np.int16), len(place)),
        at_us=np.repeat(START_US + place.astype(np.int64) * 60_000_000, 4),
        value=np.concatenate(columns).T.ravel(),
        multiplier=1.0,
        most=2.0 * peak,
        limit=HEAT_CLASS,
    )


def _wander(rng: np.random.Generator, n: int, deviation: float) -> Floats:
    """Noise with a memory of two hours, by the minute."""
    keep = float(np.exp(-1.0 / 120.0))
    noise: Floats = lfilter([np.sqrt(1.0 - keep * keep)], [1.0, -keep], rng.normal(0.0, deviation, n))
    return noise


def _heat(temperature: Floats, *, in_supply: bool) -> Floats:
    """Heat of a cubic metre, from a table of every twentieth of a kelvin: five times as fast, to 1e-8. [kWh/m3]"""
    supply, back = np.interp(temperature, _KELVIN, _ENTHALPY)
    heat: Floats = np.interp(temperature[0 if in_supply else 1], _KELVIN, _DENSITY) * (supply - back) / 3600.0
    return heat


def _dial(each: Floats, place: NDArray[np.int64], most: float, rng: np.random.Generator) -> Floats:
    """A register that adds up what each minute brings, read at the beginning of the minutes `place`."""
    decimals = int(rng.integers(2, 4)) - int(np.ceil(np.log10(max(most * 60.0, 1e-9))))
    total = 1000.0 + np.concatenate(([0.0], np.cumsum(each)))[place]
    dial: Floats = np.floor(total * 10.0**decimals) / 10.0**decimals
    return dial
