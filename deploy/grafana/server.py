"""A Grafana by its HTTP API. Calls can be repeated: a server that restarts half-way is waited for."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import niquests
from grafana_client import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException, GrafanaServerError

from analytics.domain.errors import ConfigurationError, TransientError
from dashboards.panels import DATASOURCE_UID
from deploy.grafana.plan import Found
from deploy.grafana.wanted import FOLDER_UID, TEAMS, Team

__all__ = ["Grafana", "GrafanaFailed"]

Json = dict[str, Any]
T = TypeVar("T")

_RULE: Final = "mw-rule-"
_BOARD: Final = "mw-"
_NOT_FOUND: Final = 404
_THERE_ALREADY: Final = {409, 412}
_OTHERS_RULES: Final = "folder contains alert rules"
_TIMEOUT_S: Final = 20.0
_SPEAKS_SINCE: Final = 12
"""Major version that was tried with a language and a zone of an organization; older ones were not."""
_LANGUAGES: Final = {"zh": "zh-Hans", "en": "en-US"}


class GrafanaFailed(TransientError):  # noqa: N818 - named after what happened
    """Grafana does not answer, or refuses."""


class Grafana:
    """One server.

    Parameters
    ----------
    url, user, password
        Of its server administrator.
    patience_s
        How long to wait for a server that is away. [s]
    zone
        Of the organizations' times, such as ``Asia/Shanghai``; '' leaves them to each browser.
    """

    def __init__(self, url: str, *, user: str, password: str, patience_s: float = 120.0, zone: str = "") -> None:
        self.url = url
        self._zone = zone
        self._version = ""
        self._credential = (user, password)
        self._patience_s = patience_s
        self._clients: dict[int | None, Any] = {}

    def close(self) -> None:
        """Close its connections."""
        for client in self._clients.values():
            client.client.s.close()
        self._clients.clear()

    def version(self) -> str:
        """Its version."""
        self._version = str(self._ask(None, "report its health", lambda api: api.health.check())["version"])
        return self._version

    def organizations(self) -> dict[int, str]:
        """Names by id."""
        rows = self._ask(None, "list organizations", lambda api: api.organizations.list_organization())
        return {row["id"]: row["name"] for row in rows}

    def make_organization(self, name: str) -> int:
        """Make one, or find the one that a lost answer made."""
        for org_id, known in self.organizations().items():
            if known == name:
                return org_id
        try:
            made = self._patiently(
                None, "make an organization", lambda api: api.organization.create_organization({"name": name})
            )
        except GrafanaClientError as error:
            there = {known: org_id for org_id, known in self.organizations().items()}
            if error.status_code in _THERE_ALREADY and name in there:  # the answer to the first try was lost
                return there[name]
            raise GrafanaFailed(f"Grafana at {self.url} must make {name!r} (it says: {error.message})") from None
        return int(made["orgId"])

    def rename_organization(self, org_id: int, name: str) -> None:
        """Give it another name."""
        self._ask(None, "rename", lambda api: api.organizations.update_organization(org_id, {"name": name}))

    def remove_organization(self, org_id: int) -> None:
        """Remove it and all that is in it."""
        self._gone(None, "remove an organization", lambda api: api.organizations.delete_organization(org_id))

    def found(self, org_id: int, name: str, *, unit_id: int | None, ours: bool, made: bool) -> Found:
        """What is in one organization of what could be ours."""
        folder = self._maybe(org_id, "read the folder", lambda api: api.folder.get_folder(FOLDER_UID))
        preferences = self._ask(org_id, "read preferences", lambda api: api.organization.get_preferences())
        return Found(
            name=name,
            org_id=org_id,
            unit_id=unit_id,
            ours=ours,
            made=made,
            datasource=self._maybe(
                org_id, "read the data source", lambda api: api.datasource.get_datasource_by_uid(DATASOURCE_UID)
            ),
            folder=None if folder is None else folder["title"],
            boards=self._boards(org_id),
            rules=self._rules(org_id),
            home=str(preferences.get("homeDashboardUID") or ""),
            # one that we made takes its teams along when it goes
            teams=tuple(sorted(self._teams(org_id))) if ours and not made else (),
        )

    def put_datasource(self, org_id: int, body: Json, password: str) -> None:
        """Make the data source or change it, with a password."""
        full = {**body, "secureJsonData": {**body.get("secureJsonData", {}), "password": password}}
        known = self._maybe(
            org_id, "read the data source", lambda api: api.datasource.get_datasource_by_uid(DATASOURCE_UID)
        )
        if known is None:
            self._ask(org_id, "make the data source", lambda api: api.datasource.create_datasource(full))
        else:
            self._ask(org_id, "change the data source", lambda api: api.datasource.update_datasource(known["id"], full))

    def put_folder(self, org_id: int, title: str) -> None:
        """Make the folder or change its title."""
        known = self._maybe(org_id, "read the folder", lambda api: api.folder.get_folder(FOLDER_UID))
        if known is None:
            self._ask(org_id, "make the folder", lambda api: api.folder.create_folder(title, uid=FOLDER_UID))
        else:
            self._ask(
                org_id, "change the folder", lambda api: api.folder.update_folder(FOLDER_UID, title, overwrite=True)
            )

    def put_board(self, org_id: int, board: Json) -> None:
        """Make a board or overwrite it."""
        body = {
            "dashboard": {**board, "id": None},
            "folderUid": FOLDER_UID,
            "overwrite": True,
            "message": "meterwarden",
        }
        self._ask(org_id, "write a board", lambda api: api.dashboard.update_dashboard(body))

    def put_rule(self, org_id: int, rule: Json) -> None:
        """Make an alert rule or change it."""
        body = {**rule, "orgID": org_id}
        if rule["uid"] in self._rules(org_id):
            self._ask(org_id, "change a rule", lambda api: api.alertingprovisioning.update_alertrule(rule["uid"], body))
        else:
            self._ask(org_id, "make a rule", lambda api: api.alertingprovisioning.create_alertrule(body))

    def put_home(self, org_id: int, uid: str) -> None:
        """Let a board open first, in whose language Grafana then speaks, at the time of the zone."""
        body: Json = {"homeDashboardUID": uid, "weekStart": "monday"}
        major, _, _ = self._version.partition(".")
        if major.isdecimal() and int(major) >= _SPEAKS_SINCE:
            body |= {"language": _LANGUAGES[uid.rpartition("-")[2]]}
            body |= {"timezone": self._zone} if self._zone else {}
        self._ask(org_id, "set the home board", lambda api: api.client.PUT("/org/preferences", json=body))

    def remove(self, org_id: int, kind: str, uid: str) -> None:
        """Remove one thing; it may be gone already."""
        calls: Mapping[str, Callable[[Any], Any]] = {
            "board": lambda api: api.dashboard.delete_dashboard(uid),
            "rule": lambda api: api.alertingprovisioning.delete_alertrule(uid),
            "folder": lambda api: api.folder.delete_folder(FOLDER_UID),
            "data source": lambda api: api.datasource.delete_datasource_by_uid(DATASOURCE_UID),
            "team": lambda api: api.teams.delete_team(self._teams(org_id).get(uid, 0)),
        }
        try:
            self._gone(org_id, f"remove a {kind}", calls[kind])
        except GrafanaFailed as error:
            # 9.4 counts the rules in the folders of this uid in all organizations; ours are gone, so it stays empty
            if kind != "folder" or _OTHERS_RULES not in str(error):
                raise

    def health(self, org_id: int) -> str | None:
        """None where the data source answers, else why not."""
        try:
            said = self._ask(org_id, "test the data source", lambda api: api.datasource.health(DATASOURCE_UID))
        except GrafanaFailed as error:
            return str(error)
        return None if said.get("status") == "OK" else str(said.get("message"))

    def add_member(self, org_id: int, login: str, role: str) -> None:
        """Let somebody whom Grafana knows into an organization, and let it be the one that he sees first.

        Whoever is in already keeps his role and what he sees first.
        """
        body = {"loginOrEmail": login, "role": role}
        try:
            self._patiently(None, "add a member", lambda api: api.organizations.organization_user_add(org_id, body))
        except GrafanaClientError as error:
            if error.status_code not in _THERE_ALREADY:
                raise ConfigurationError(f"Grafana must know the user {login!r} (it says: {error.message})") from None
            return
        user_id = self._user(login)
        self._ask(None, "switch a user over", lambda api: api.client.POST(f"/users/{user_id}/using/{org_id}"))

    def put_team(self, org_id: int, team: Team) -> int:
        """Make a team where it is not there, and let its board open first; its id."""
        team_id = self._teams(org_id).get(team.name) or self._make_team(org_id, team)
        path = f"/teams/{team_id}/preferences"
        known = self._ask(org_id, "read a team's home board", lambda api: api.client.GET(path))
        if known.get("homeDashboardUID") != team.home:
            body = {"homeDashboardUID": team.home, "weekStart": "monday"}
            self._ask(org_id, "set a team's home board", lambda api: api.client.PUT(path, json=body))
        return team_id

    def add_to_team(self, org_id: int, team_id: int, logins: Iterable[str]) -> None:
        """Put members of an organization into a team; whoever is in stays."""
        known = {row["login"] for row in self._members(org_id, team_id)}
        for login in dict.fromkeys(logins):
            if login not in known:
                self._join(org_id, team_id, login)

    def _make_team(self, org_id: int, team: Team) -> int:
        made = self._ask(org_id, "make a team", lambda api: api.teams.add_team({"name": team.name}))
        team_id = int(made["teamId"])
        for row in self._members(org_id, team_id):  # Grafana puts in whoever makes it: here the administrator
            self._leave(org_id, team_id, row["userId"])
        return team_id

    def _join(self, org_id: int, team_id: int, login: str) -> None:
        user_id = self._user(login)
        self._ask(org_id, "add to a team", lambda api: api.teams.add_team_member(team_id, user_id))

    def _user(self, login: str) -> int:
        return int(self._ask(None, "find a user", lambda api: api.users.find_user(login))["id"])

    def _leave(self, org_id: int, team_id: int, user_id: int) -> None:
        self._gone(org_id, "leave a team", lambda api: api.teams.remove_team_member(team_id, user_id))

    def _members(self, org_id: int, team_id: int) -> list[Json]:
        rows: list[Json] = self._ask(org_id, "list a team", lambda api: api.teams.get_team_members(team_id))
        return rows

    def _teams(self, org_id: int) -> dict[str, int]:
        """Ids of the teams that have our names."""
        rows = self._ask(org_id, "list teams", lambda api: api.teams.search_teams())
        ours = {team.name for team in TEAMS.values()}
        return {row["name"]: int(row["id"]) for row in rows if row["name"] in ours}

    def _boards(self, org_id: int) -> dict[str, Json]:
        rows = self._ask(
            org_id, "list boards", lambda api: api.client.GET("/search?type=dash-db&tag=meterwarden&limit=500")
        )
        uids = [row["uid"] for row in rows if row["uid"].startswith(_BOARD)]
        return {uid: self._board(org_id, uid) for uid in uids}

    def _board(self, org_id: int, uid: str) -> Json:
        found = self._ask(org_id, "read a board", lambda api: api.dashboard.get_dashboard(uid))
        board: Json = found["dashboard"]
        return board

    def _rules(self, org_id: int) -> dict[str, Json]:
        rows = self._ask(org_id, "list rules", lambda api: api.alertingprovisioning.get_alertrules_all())
        return {row["uid"]: row for row in rows or () if row["uid"].startswith(_RULE)}

    def _maybe(self, org_id: int, what: str, call: Callable[[Any], T]) -> T | None:
        try:
            return self._patiently(org_id, what, call)
        except GrafanaClientError as error:
            if error.status_code == _NOT_FOUND:
                return None
            raise GrafanaFailed(f"Grafana at {self.url} must {what} (it says: {error.message})") from None

    def _gone(self, org_id: int | None, what: str, call: Callable[[Any], Any]) -> None:
        try:
            self._patiently(org_id, what, call)
        except GrafanaClientError as error:
            if error.status_code != _NOT_FOUND:
                raise GrafanaFailed(f"Grafana at {self.url} must {what} (it says: {error.message})") from None

    def _ask(self, org_id: int | None, what: str, call: Callable[[Any], T]) -> T:
        try:
            return self._patiently(org_id, what, call)
        except GrafanaClientError as error:
            raise GrafanaFailed(f"Grafana at {self.url} must {what} (it says: {error.message})") from None

    def _patiently(self, org_id: int | None, what: str, call: Callable[[Any], T]) -> T:
        """Ask until it answers: while it is away or starts, for as long as patience lasts."""
        end, pause = time.monotonic() + self._patience_s, 0.2
        while True:
            try:
                return self._call(org_id, call)
            except GrafanaClientError:
                raise
            except (GrafanaServerError, GrafanaException, niquests.exceptions.RequestException, OSError) as error:
                if time.monotonic() + pause > end:
                    raise GrafanaFailed(f"Grafana at {self.url} must {what} (it says: {error})") from error
            self.close()
            time.sleep(pause)
            pause = min(pause * 1.5, 3.0)

    def _call(self, org_id: int | None, call: Callable[[Any], T]) -> T:
        client = self._clients.get(org_id)
        if client is None:
            client = GrafanaApi.from_url(self.url, credential=self._credential, timeout=_TIMEOUT_S)
            if org_id is not None:
                client.client.s.headers["X-Grafana-Org-Id"] = str(org_id)
            self._clients[org_id] = client
        return call(client)
