"""A simulated region: realistic ledger and readings, deterministic by seed, with the truth kept."""

from deploy.region.build import DEFAULT_SEED, DEFAULT_START_US, build_region
from deploy.region.ledger_rows import write_csv, write_xlsx
from deploy.region.messages import Message, region_messages
from deploy.region.model import Event, Fault, Readings, Region, Truth
from deploy.region.registers import fleet_registers

__all__ = [
    "DEFAULT_SEED",
    "DEFAULT_START_US",
    "Event",
    "Fault",
    "Message",
    "Readings",
    "Region",
    "Truth",
    "build_region",
    "fleet_registers",
    "region_messages",
    "write_csv",
    "write_xlsx",
]
