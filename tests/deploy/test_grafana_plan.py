"""The plan is the difference of what should be there and what is, and takes out only what is in our book."""

from dataclasses import replace
from pathlib import Path

import pytest

from analytics.domain.errors import ConfigurationError
from dashboards.boards import BOARDS, ENTERPRISE_BOARDS
from deploy.grafana.plan import Found, Step, plan
from deploy.grafana.reach import reach
from deploy.grafana.wanted import Connection, Unit, Wanted, wanted

UNITS = [Unit(id=1, code="U1", name="One"), Unit(id=2, code="U2", name="Two")]
ROLES = {None: "db_staff", 1: "db_unit_1", 2: "db_unit_2"}
SEEN = Connection(host="db", port=5432, database="db")
NONE: frozenset[int | None] = frozenset()


def want(units: list[Unit] = UNITS) -> list[Wanted]:
    return wanted(units, ROLES, SEEN)


def as_wanted(one: Wanted, org_id: int) -> Found:
    return Found(
        name=one.name,
        org_id=org_id,
        unit_id=one.unit_id,
        ours=True,
        made=True,
        datasource={**one.datasource, "id": org_id},
        folder=one.folder,
        boards={uid: {**board, "id": 9, "version": 4} for uid, board in one.boards.items()},
        rules=dict(one.rules),
        home=one.home,
    )


def all_there() -> list[Found]:
    return [as_wanted(one, org_id) for org_id, one in enumerate(want(), 2)]


def told(steps: list[Step]) -> list[tuple[str, str, str]]:
    return [(step.action, step.kind, step.organization) for step in steps]


def test_nothing_is_to_be_done_where_all_is_there() -> None:
    assert plan(want(), all_there(), stale=NONE) == []


def test_an_empty_grafana_gets_everything_in_an_order_that_can_be_taken() -> None:
    steps = plan(want(), [], stale=frozenset(ROLES))
    assert [step.kind for step in steps[:3]] == ["organization", "data source", "folder"]
    assert sum(step.kind == "board" for step in steps) == 2 * (len(BOARDS) + 2 * len(ENTERPRISE_BOARDS))
    assert {step.organization for step in steps if step.kind == "rule"} == {"Meterwarden"}
    assert "password" not in {step.action for step in steps}, "a new data source has a new password anyway"


def test_a_unit_that_is_gone_takes_its_organization_along() -> None:
    steps = plan(want(UNITS[:1]), all_there(), stale=NONE)
    assert told(steps) == [("remove", "organization", "Two (U2)")]


def test_an_organization_that_was_there_before_is_emptied_of_ours_and_stays() -> None:
    there = all_there()
    there[2] = replace(there[2], made=False, teams=("Meterwarden: operators",))
    steps = plan(want(UNITS[:1]), there, stale=NONE)
    assert {step.kind for step in steps} == {"board", "folder", "data source", "team", "organization"}
    assert "stays" in steps[-1].what


def test_what_is_not_in_our_book_is_left_alone() -> None:
    stranger = Found(name="Somebody else", org_id=77, boards={"mw-theirs": {}}, folder="theirs")
    assert plan(want(), [*all_there(), stranger], stale=NONE) == []


def test_an_organization_of_the_same_name_is_taken_over() -> None:
    steps = plan(want([]), [Found(name="Meterwarden", org_id=5)], stale=NONE)
    assert (steps[0].action, steps[0].kind, steps[0].org_id) == ("create", "organization", 5)


def test_a_unit_that_is_renamed_keeps_its_organization() -> None:
    renamed = [UNITS[0], Unit(id=2, code="U2", name="Two and a half")]
    steps = plan(want(renamed), all_there(), stale=NONE)
    assert [(step.action, step.kind, step.org_id) for step in steps] == [("update", "organization", 4)]


def test_a_board_that_somebody_changed_or_left_behind_is_set_right() -> None:
    there = all_there()
    boards = dict(there[0].boards)
    boards["mw-region-zh"] = {**boards["mw-region-zh"], "title": "mine"}
    boards["mw-of-an-older-version"] = {}
    there[0] = replace(there[0], boards=boards)
    assert [(step.action, step.what) for step in plan(want(), there, stale=NONE)] == [
        ("update", "mw-region-zh"),
        ("remove", "mw-of-an-older-version"),
    ]


def test_a_password_that_nobody_has_is_handed_over_again() -> None:
    steps = plan(want(), all_there(), stale=frozenset({2}))
    assert told(steps) == [("password", "data source", "Two (U2)")]


def test_the_data_source_of_a_newer_grafana_is_the_same_by_another_name() -> None:
    there = all_there()
    assert there[0].datasource is not None
    there[0] = replace(there[0], datasource={**there[0].datasource, "type": "grafana-postgresql-datasource"})
    assert plan(want(), there, stale=NONE) == []


def test_an_enterprise_has_no_link_to_a_board_that_it_has_not() -> None:
    for one in want()[1:]:
        for board in one.boards.values():
            assert {link["url"].removeprefix("/d/") for link in board["links"]} <= set(one.boards)


def test_a_data_source_checks_the_certificate_off_this_machine(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----")
    asked = {"sslmode": "prefer", "sslrootcert": str(authority)}
    for at in ("db.plant.example:5432", "10.0.0.7:5432", "[2001:db8::1]:5432"):
        far = reach(asked, database="m", at=at)
        assert (far.sslmode, far.root_certificate) == ("verify-full", authority.read_text())
        assert reach({}, database="m", at=at).sslmode == "verify-full"
    for at in ("127.0.0.1:5432", "localhost:5432", "[::1]:5432"):
        near = reach(asked, database="m", at=at)
        assert (near.sslmode, near.root_certificate) == ("prefer", None)
        assert reach({}, database="m", at=at).sslmode == "disable"
        assert reach(asked | {"sslmode": "verify-full"}, database="m", at=at).root_certificate == authority.read_text()
    with pytest.raises(ConfigurationError, match="must be a PEM file"):
        reach({"sslrootcert": str(tmp_path / "none.pem")}, database="m", at="db:5432")
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        reach({}, database="m", at="db")
