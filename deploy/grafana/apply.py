"""Read, plan, and take the steps; each is whole by itself, so that a run that was cut short is taken up by the next."""

from collections.abc import Callable, Iterable

import psycopg

from analytics.domain.errors import ConfigurationError
from deploy.grafana.plan import Found, Step, plan
from deploy.grafana.roles import Book, enrol, new_password, stale, units
from deploy.grafana.server import Grafana, GrafanaFailed
from deploy.grafana.wanted import TEAMS, Connection, Unit, Wanted, wanted

__all__ = ["Applier"]


class Applier:
    """One Grafana beside one database.

    Parameters
    ----------
    connection
        To the database, as its owner; in autocommit.
    seen
        Where the database is, as Grafana sees it.
    staff
        Name of the staff's organization.
    only
        Codes of the units to see to, those of other units of the ledger stay as they are; None for all.
    """

    def __init__(
        self, grafana: Grafana, connection: psycopg.Connection, seen: Connection, *, staff: str,
        only: frozenset[str] | None = None, pages: str = "",
    ) -> None:  # fmt: skip
        self._grafana = grafana
        self._connection = connection
        self._seen = seen
        self._staff = staff
        self._only = only
        self._pages = pages
        self._book = Book(connection, grafana.url)
        self._ids: dict[str, int] = {}

    def plan(self, *, rotate_days: float, remove: bool = False) -> list[Step]:
        """The steps to take.

        Parameters
        ----------
        rotate_days
            Passwords older than this are changed; 0 changes all. [d]
        remove
            Take everything of ours out instead.
        """
        known = units(self._connection)
        chosen = [unit for unit in known if self._only is None or unit.code in self._only]
        unknown = (self._only or frozenset()) - {unit.code for unit in chosen}
        if unknown:
            raise ConfigurationError(f"--unit must be a unit of the ledger (got {', '.join(sorted(unknown))})")
        want = [] if remove else self._wanted(chosen)
        alone = frozenset(unit.id for unit in known) - frozenset(unit.id for unit in chosen)
        return plan(want, self._found(want, alone), stale=stale(self._connection, older_than_days=rotate_days))

    def take(self, steps: Iterable[Step], report: Callable[[Step], None]) -> None:
        """Take them in order."""
        for step in steps:
            if step.kind == "organization":
                self._organization(step)
            else:
                self._inside(step, self._id(step))
            report(step)

    def members(self, people: Iterable[tuple[str, str, str, str]]) -> None:
        """Let people in: login, unit code (empty for the staff), role, and of the staff the team or nothing.

        Whoever is in already stays as he is.
        """
        by_code = {unit.code: unit.id for unit in units(self._connection)} | {"": None}
        orgs = {unit_id: org_id for org_id, (unit_id, _) in self._book.read().items()}
        joining: dict[str, list[str]] = {}
        for login, code, role, team in people:
            if code not in by_code or by_code[code] not in orgs:
                raise GrafanaFailed(f"the unit of {login!r} must have an organization (got {code!r})")
            self._grafana.add_member(orgs[by_code[code]], login, role)
            if team:
                joining.setdefault(team, []).append(login)
        for team, logins in joining.items():
            self._grafana.add_to_team(orgs[None], self._grafana.put_team(orgs[None], TEAMS[team]), logins)

    def sick(self) -> dict[str, str]:
        """Data sources that do not answer, and why, by organization."""
        names = self._grafana.organizations()
        found = {names[org_id]: self._grafana.health(org_id) for org_id in self._book.read() if org_id in names}
        return {name: fault for name, fault in found.items() if fault is not None}

    def _wanted(self, chosen: list[Unit]) -> list[Wanted]:
        return wanted(chosen, enrol(self._connection, chosen), self._seen, staff=self._staff, pages=self._pages)

    def _found(self, want: list[Wanted], alone: frozenset[int]) -> list[Found]:
        book = self._book.read()
        names = {one.name for one in want}
        found = []
        for org_id, name in self._grafana.organizations().items():
            if org_id in book or name in names:
                unit_id, made = book.get(org_id, (None, False))
                if unit_id in alone:
                    continue
                found.append(self._grafana.found(org_id, name, unit_id=unit_id, ours=org_id in book, made=made))
        return found

    def _id(self, step: Step) -> int:
        return self._ids[step.organization] if step.org_id is None else step.org_id

    def _organization(self, step: Step) -> None:
        if step.action == "create":
            there = step.org_id
            # written down before anything else is done, so that a cut leaves nothing of ours unknown
            org_id = self._grafana.make_organization(step.organization) if there is None else there
            self._book.add(org_id, step.unit_id, step.organization, made=there is None)
            self._ids[step.organization] = org_id
        elif step.action == "update":
            self._grafana.rename_organization(self._id(step), step.organization)
            self._book.add(self._id(step), step.unit_id, step.organization, made=True)
        else:
            if "stays" not in step.what:
                self._grafana.remove_organization(self._id(step))
            self._book.forget(self._id(step))

    def _inside(self, step: Step, org_id: int) -> None:
        grafana = self._grafana
        if step.action == "remove":
            grafana.remove(org_id, step.kind, step.what)
        elif step.kind == "data source":
            assert step.body is not None
            role = step.body["user"]
            grafana.put_datasource(org_id, step.body, new_password(self._connection, role))
            self._book.handed(role)
        elif step.kind == "folder":
            grafana.put_folder(org_id, step.what)
        elif step.kind == "board":
            assert step.body is not None
            grafana.put_board(org_id, step.body)
        elif step.kind == "rule":
            assert step.body is not None
            grafana.put_rule(org_id, step.body)
        else:
            grafana.put_home(org_id, step.what)
