"""Wanted state of a Grafana: an organization for the staff and one for each unit, with their contents."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from analytics.domain.words import LANGUAGES, Language, Phrase
from dashboards.alert_rules import RULES, rule_json
from dashboards.boards import BOARDS, ENTERPRISE_BOARDS, OPERATIONS, REGION, Board
from dashboards.boards.places import AT_ENTERPRISE
from dashboards.panels import DATASOURCE_UID
from dashboards.render import render

__all__ = ["FOLDER_UID", "TEAMS", "Connection", "Team", "Unit", "Wanted", "wanted"]

Json = dict[str, Any]

FOLDER_UID: Final = "meterwarden"
_FOLDER: Final = Phrase(zh="计量看板", en="Metering")
_CONNECTIONS: Final = 5
_LIFETIME_S: Final = 3600
_SECURE: Final = "secureJsonData"


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """People of the staff with the same work."""

    name: str
    home: str
    """Uid of the board that opens first for them."""


TEAMS: Final = {
    "metering": Team(name="Meterwarden: 计量主管 metering staff", home=REGION.uid("zh")),
    "inspectors": Team(name="Meterwarden: 检查员 inspectors", home=REGION.uid("zh")),
    "operators": Team(name="Meterwarden: 系统运行 operators", home=OPERATIONS.uid("zh")),
}
"""By the word that the list of members has for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """An energy-using unit."""

    id: int
    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the database is, as Grafana sees it."""

    host: str
    port: int
    database: str
    sslmode: str = "disable"
    root_certificate: str | None = None
    """PEM of who signed the server's certificate; None leaves it to the authorities that Grafana's machine trusts."""
    version: int = 1500
    """PostgreSQL's, in Grafana's words; its data source asks nothing newer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One organization and all that should be in it."""

    name: str
    unit_id: int | None
    """None for the staff."""
    datasource: Json
    folder: str
    boards: Mapping[str, Json]
    """By uid."""
    rules: Mapping[str, Json]
    home: str
    """Uid of the board that opens first."""


def wanted(
    units: Iterable[Unit], roles: Mapping[int | None, str], connection: Connection, *,
    staff: str = "Meterwarden", languages: tuple[Language, ...] = ("zh", "en"), pages: str = "",
) -> list[Wanted]:  # fmt: skip
    """The organizations that should be there, the staff's first.

    Parameters
    ----------
    roles
        Database role of each unit, and of the staff under None.
    staff
        Name of the staff's organization.
    languages
        Of the boards; rules speak the first.
    pages
        Address of the web pages, where reports are.
    """
    rules = {rule.uid: rule_json(rule, languages[0], folder=FOLDER_UID) for rule in RULES}
    folder = _FOLDER.of(languages[0])
    staffs = Wanted(
        name=staff,
        unit_id=None,
        datasource=datasource(roles[None], connection),
        folder=folder,
        boards=_boards(BOARDS, languages, pages),
        rules=rules,
        home=REGION.uid(languages[0]),
    )
    boards = _boards(
        ENTERPRISE_BOARDS, languages, pages
    )  # the same for all of them: what differs is the role behind it
    return [
        staffs,
        *(
            Wanted(
                name=f"{unit.name} ({unit.code})",
                unit_id=unit.id,
                datasource=datasource(roles[unit.id], connection),
                folder=folder,
                boards=boards,
                rules={},
                home=AT_ENTERPRISE.uid(languages[0]),
            )
            for unit in units
        ),
    ]


def _boards(boards: tuple[Board, ...], languages: tuple[Language, ...], pages: str) -> dict[str, Json]:
    return {board.uid(language): _own(board, language, boards, pages) for language in languages for board in boards}


def _own(board: Board, language: Language, beside: tuple[Board, ...], pages: str) -> Json:
    """The board without links to boards that its organization has not."""
    found = render(board, language, pages=pages)
    here = {f"/d/{other.uid(spoken)}" for other in beside for spoken in LANGUAGES}
    found["links"] = [link for link in found["links"] if link["url"] in here]
    return found


def datasource(role: str, connection: Connection) -> Json:
    """The data source of one role, without its password."""
    return {
        "access": "proxy",
        "database": connection.database,
        "isDefault": True,
        "jsonData": {
            "connMaxLifetime": _LIFETIME_S,
            "database": connection.database,  # where newer ones look for it
            "maxIdleConns": _CONNECTIONS,
            "maxOpenConns": _CONNECTIONS,
            "postgresVersion": connection.version,
            "sslmode": connection.sslmode,
            "timescaledb": True,
            **({} if connection.root_certificate is None else {"tlsConfigurationMethod": "file-content"}),
        },
        **({} if connection.root_certificate is None else {_SECURE: {"tlsCACert": connection.root_certificate}}),
        "name": "Meterwarden",
        "type": "postgres",
        "uid": DATASOURCE_UID,
        "url": f"{connection.host}:{connection.port}",
        "user": role,
    }
