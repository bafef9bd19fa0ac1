"""The steps from what a Grafana holds to what it should hold; pure, so that they can be shown before they are taken."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from dashboards.panels import DATASOURCE_UID
from deploy.grafana.wanted import FOLDER_UID, Wanted

__all__ = ["Found", "Step", "plan", "same"]

Json = dict[str, Any]
Action = Literal["create", "update", "remove", "password"]
Kind = Literal["organization", "data source", "folder", "board", "rule", "home", "team"]
_Change = tuple[Action, Kind, str, Json | None]

_TYPES: Final = {"postgres": "postgres", "grafana-postgresql-datasource": "postgres"}  # renamed in Grafana 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One organization as it is."""

    name: str
    org_id: int
    unit_id: int | None = None
    ours: bool = False
    """Whether it is in our book."""
    made: bool = False
    """Whether we made it, so that we may remove it."""
    datasource: Json | None = None
    folder: str | None = None
    """Title of our folder."""
    boards: Mapping[str, Json] = field(default_factory=dict)
    """Those whose uid is one of ours."""
    rules: Mapping[str, Json] = field(default_factory=dict)
    home: str = ""
    teams: tuple[str, ...] = ()
    """Names of ours, of an organization that would stay without us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change."""

    action: Action
    kind: Kind
    organization: str
    what: str
    org_id: int | None = None
    """None for one that is not there yet."""
    unit_id: int | None = None
    body: Json | None = None

    def __str__(self) -> str:
        return f"{self.action:<8} {self.kind:<12} {self.what}"


def plan(wanted: Iterable[Wanted], found: Iterable[Found], *, stale: frozenset[int | None]) -> list[Step]:
    """The steps, in an order in which each finds what it stands on.

    Parameters
    ----------
    stale
        Units (None for the staff) whose role has no password that a data source is known to have.

    Returns
    -------
    list[Step]
        Empty where everything is as it should be.
    """
    there = {one.name: one for one in found}
    by_unit = {one.unit_id: one for one in there.values() if one.ours}
    steps: list[Step] = []
    kept = set()
    for want in wanted:
        have = by_unit.get(want.unit_id) if want.unit_id in by_unit else there.get(want.name)
        if have is not None:
            kept.add(have.org_id)
        steps += _organization(want, have, stale=want.unit_id in stale)
    for have in there.values():
        if have.ours and have.org_id not in kept:
            steps += _removed(have)
    return steps


def _organization(want: Wanted, have: Found | None, *, stale: bool) -> Iterator[Step]:
    now = have or Found(name=want.name, org_id=0)
    for action, kind, what, body in _changes(want, now, there=have is not None, stale=stale):
        yield Step(
            action=action,
            kind=kind,
            organization=want.name,
            what=what,
            org_id=None if have is None else have.org_id,
            unit_id=want.unit_id,
            body=body,
        )


def _changes(want: Wanted, now: Found, *, there: bool, stale: bool) -> Iterator[_Change]:
    if not now.ours:
        yield "create", "organization", f"{want.name} (is there; taken over)" if there else want.name, None
    elif now.name != want.name:
        yield "update", "organization", f"{now.name} is now {want.name}", None
    yield from _datasource(want, now, stale=stale)
    if now.folder != want.folder:
        yield "create" if now.folder is None else "update", "folder", want.folder, None
    yield from _things("board", want.boards, now.boards)
    yield from _things("rule", want.rules, now.rules)
    if now.home != want.home:
        yield "update", "home", want.home, None


def _datasource(want: Wanted, now: Found, *, stale: bool) -> Iterator[_Change]:
    role = want.datasource["user"]
    if now.datasource is None:
        yield "create", "data source", role, want.datasource
    elif not same(want.datasource, {**now.datasource, "type": _TYPES.get(now.datasource.get("type", ""), "")}):
        yield "update", "data source", role, want.datasource
    elif stale:
        yield "password", "data source", role, want.datasource


def _things(kind: Kind, want: Mapping[str, Json], have: Mapping[str, Json]) -> Iterator[_Change]:
    for uid, body in want.items():
        if uid not in have:
            yield "create", kind, uid, body
        elif not same(body, have[uid]):
            yield "update", kind, uid, body
    for uid in sorted(have.keys() - want.keys()):
        yield "remove", kind, uid, None


def _removed(have: Found) -> Iterator[Step]:
    """All that is ours; the organization, too, where we made it."""

    def step(kind: Kind, what: str) -> Step:
        return Step(
            action="remove", kind=kind, organization=have.name, what=what, org_id=have.org_id, unit_id=have.unit_id
        )

    if have.made:
        yield step("organization", have.name)
        return
    for uid in have.rules:
        yield step("rule", uid)
    for uid in have.boards:
        yield step("board", uid)
    if have.folder is not None:
        yield step("folder", FOLDER_UID)
    if have.datasource is not None:
        yield step("data source", DATASOURCE_UID)
    for name in have.teams:
        yield step("team", name)
    yield step("organization", f"{have.name} (stays; it was there before)")


_SERVERS_OWN: Final = {"id", "version", "orgID", "secureJsonData"}  # the last is never given back


def same(want: Any, have: Any) -> bool:
    """Whether all that is wanted is there; what the server adds does not count.

    Examples
    --------
    >>> same({"a": 1, "id": None}, {"a": 1, "id": 7, "b": 2})
    True
    >>> same({"a": [1, 2]}, {"a": [1]})
    False
    """
    if isinstance(want, dict) and isinstance(have, dict):
        return all(same(value, have.get(key)) for key, value in want.items() if key not in _SERVERS_OWN)
    if isinstance(want, list) and isinstance(have, list):
        return len(want) == len(have) and all(same(a, b) for a, b in zip(want, have, strict=True))
    if want in ({}, [], None, False, "") and have is None:
        return True  # left out on the way
    return bool(want == have)
