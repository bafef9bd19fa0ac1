"""The embedded stack: Apache Kafka and PostgreSQL with TimescaleDB as local processes, and the workers."""

from deploy.stack.errors import StackError
from deploy.stack.part import PartStatus
from deploy.stack.stack import PARTS, SERVERS, Stack

__all__ = ["PARTS", "SERVERS", "PartStatus", "Stack", "StackError"]
