"""Readings from files worked out without Kafka or a database."""

from streams.backfill.files import ReadingsFile
from streams.backfill.run import Report, Source, backfill, end_of_day

__all__ = ["ReadingsFile", "Report", "Source", "backfill", "end_of_day"]
