"""Readings from files worked out without Kafka or a database."""

from deploy.backfill.run import Chunk, Report, Source, Unreadable, backfill, end_of_day

__all__ = ["Chunk", "Report", "Source", "Unreadable", "backfill", "end_of_day"]
