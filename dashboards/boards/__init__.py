"""The boards, as values."""

from dashboards.boards.board import Board, Variable
from dashboards.boards.enterprise import ENTERPRISE
from dashboards.boards.operations import OPERATIONS
from dashboards.boards.point import POINT
from dashboards.boards.region import REGION

__all__ = ["BOARDS", "ENTERPRISE", "ENTERPRISE_BOARDS", "OPERATIONS", "POINT", "REGION", "Board", "Variable"]

BOARDS = (REGION, ENTERPRISE, POINT, OPERATIONS)
"""All of them: what the staff has."""
ENTERPRISE_BOARDS = (ENTERPRISE, POINT)
"""What an enterprise has, over its own rows."""
