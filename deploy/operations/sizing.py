"""What a site of some size needs: from costs that were measured, each with where.

Room is what a reading, an hour of a meter and a meter took in runs of three sizes, which
``tests/deploy/operations/test_sizing.py`` does again and holds this against. Processor time is of the runs that
``deploy/scores.md`` names, the dearer of two machines.
"""

import math
from dataclasses import dataclass
from typing import Final

from analytics.domain.errors import ConfigurationError
from ingest.kafka.config import KEPT_DAYS
from ingest.wire import READINGS_TOPIC

__all__ = ["Need", "Site", "needs"]

# bytes, of runs with blocks of 100 and 200 meters and a piece of equipment for each meter
KAFKA_BLOCK: Final = 27.0
KAFKA_JSON: Final = 200.0
NARROW: Final = 62.0
PACKED: Final = 8.4
PACKED_DAY: Final = 470.0
"""Of a register and day, beside its readings: a row, with its index."""
POINT_HOUR: Final = 190.0
SERIES_HOUR: Final = 285.0
POINT_DAY: Final = 240.0
SERIES_DAY: Final = 350.0
METER: Final = 2_500.0

# µs of processor time a reading, deploy/scores.md: worker, database, broker; of blocks and of single JSON messages
BLOCK_US: Final = (0.65, 1.4, 0.15)
JSON_US: Final = (2.35, 1.0, 0.21)

WORKER_BYTES: Final = 0.39e9
WORKER_METER_BYTES: Final = 1_410.0
"""A worker of 100,000 meters had 0.53 GB, one of a million 1.8 (deploy/scores.md)."""
MOST_METERS: Final = 500_000
"""Of a worker: a million were restored in 6.5 s, and another worker has to take over what one leaves."""
BUSY: Final = 0.5
"""Share of a core that may be used: the rest is for closing hours, judging, boards, and for catching up."""
_DAY_S: Final = 86_400.0
_YEAR_DAYS: Final = 365
_FEWEST_PARTITIONS: Final = 8
_MOST_PARTITIONS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What is to be measured.

    Attributes
    ----------
    units : int
        Energy-using units.
    meters : int
        Of each unit.
    interval_s : float
        Between readings of a register. [s]
    registers : int
        Of each meter.
    series : int or None
        Sub-units, pieces of equipment and carriers of each unit of which totals are kept; None for as many as meters.
    single : bool
        A message of JSON for each reading, instead of blocks.
    copies : int
        Of Kafka's log, on as many brokers.
    """

    units: int
    meters: int
    interval_s: float
    registers: int = 1
    series: int | None = None
    single: bool = False
    copies: int = 1

    def __post_init__(self) -> None:
        numbers = {"units": self.units, "meters": self.meters, "registers": self.registers, "copies": self.copies}
        wrong = [f"{name} {value}" for name, value in numbers.items() if value < 1]
        if wrong or not self.interval_s > 0:
            raise ConfigurationError(f"a plan needs numbers above 0 (got {', '.join(wrong) or 'an interval of 0'})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What it needs.

    Attributes
    ----------
    readings_per_s : float
        [1/s]
    worker_cores, database_cores, broker_cores : float
        Processor time that readings take; machines have twice as much. [cores]
    worker_bytes : float
        Memory of each worker. [byte]
    kafka_bytes : float
        Log of seven days, of all copies. [byte]
    narrow_bytes : float
        Readings of the days before they are packed. [byte]
    packed_bytes, results_bytes : float
        A year of packed readings; a year of hours, days and totals. [byte]
    ledger_bytes : float
        [byte]
    sent_bytes_per_s : float
        From gateways to Kafka; the same again to the workers, and for each further copy. [byte/s]
    """

    readings_per_s: float
    partitions: int
    workers: int
    worker_cores: float
    database_cores: float
    broker_cores: float
    worker_bytes: float
    kafka_bytes: float
    narrow_bytes: float
    packed_bytes: float
    results_bytes: float
    ledger_bytes: float
    sent_bytes_per_s: float

    @property
    def database_bytes(self) -> float:
        """All of the database after a year. [byte]"""
        return self.narrow_bytes + self.packed_bytes + self.results_bytes + self.ledger_bytes


def needs(
    site: Site, *, days: float = _YEAR_DAYS, pack_after_days: float = 3.0, kept_days: float = KEPT_DAYS[READINGS_TOPIC]
) -> Need:
    """What a site needs.

    Parameters
    ----------
    days : float
        For how long results and packed readings are kept. [d]
    pack_after_days : float
        Age of the oldest readings that are not packed: two days and the one that is being filled. [d]
    kept_days : float
        For how long Kafka keeps what was sent. [d]

    Examples
    --------
    >>> need = needs(Site(units=100, meters=100, interval_s=900))
    >>> round(need.readings_per_s, 1), need.workers, need.partitions
    (11.1, 1, 8)
    """
    meters = site.units * site.meters
    series = site.units * (site.meters if site.series is None else site.series)
    rate = meters * site.registers / site.interval_s
    of_day = rate * _DAY_S
    message = KAFKA_JSON if site.single else KAFKA_BLOCK
    cores = [rate * us * 1e-6 for us in (JSON_US if site.single else BLOCK_US)]
    workers = max(1, math.ceil(cores[0] / BUSY), math.ceil(meters / MOST_METERS))
    partitions = min(max(_FEWEST_PARTITIONS, 2 ** math.ceil(math.log2(4 * workers))), _MOST_PARTITIONS)
    results = meters * (24 * POINT_HOUR + POINT_DAY) + series * (24 * SERIES_HOUR + SERIES_DAY)
    return Need(
        readings_per_s=rate,
        partitions=partitions,
        workers=workers,
        worker_cores=cores[0],
        database_cores=cores[1],
        broker_cores=cores[2] * site.copies,
        worker_bytes=WORKER_BYTES + WORKER_METER_BYTES * meters / workers,
        kafka_bytes=message * of_day * kept_days * site.copies,
        narrow_bytes=NARROW * of_day * min(days, pack_after_days),
        packed_bytes=(PACKED * of_day + PACKED_DAY * meters * site.registers) * max(days - pack_after_days, 0),
        results_bytes=results * days,
        ledger_bytes=METER * meters,
        sent_bytes_per_s=message * rate,
    )
