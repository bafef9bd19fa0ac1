"""Writing one event; what the numbers mean by kind says `analytics.columns.events`."""

from analytics.compiled import compiled_plain

__all__ = ["write_event"]


@compiled_plain
def write_event(row, point, installation, kind, scale, started, ended, decided, before, at, after, n, amount):
    """Fill a record of an event."""
    row.point = point
    row.installation = installation
    row.kind = kind
    row.scale = scale
    row.n = n
    row.started = started
    row.ended = ended
    row.decided = decided
    row.before = before
    row.at = at
    row.after = after
    row.amount = amount
