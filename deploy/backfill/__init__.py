"""Readings from files worked out without Kafka or a database."""

from deploy.backfill.files import ReadingsFile
from deploy.backfill.run import Report, Source, backfill, end_of_day

__all__ = ["ReadingsFile", "Report", "Source", "backfill", "end_of_day"]
