"""Whose token it is, and what it may send."""

from datetime import UTC, datetime, timedelta

import pytest

from ingest.gateway.access import NAME, Gateway, Gateways, digest_of, inbox_of, new_token

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def known(**facts: object) -> tuple[Gateways, str]:
    token = new_token()
    gateway = Gateway(id=1, name="boiler", unit_codes=frozenset({"U1"}), **facts)  # type: ignore[arg-type]  # one test's
    return Gateways.of([gateway], {digest_of(token): ("boiler", None)}), token


def test_a_token_is_that_of_its_gateway_and_of_no_other_name() -> None:
    gateways, token = known()
    found = gateways.of_token(token, NOW)
    assert found is not None
    assert found.may_send("U1")
    assert not found.may_send("U2")
    assert gateways.of_token(token, NOW, name="boiler") is found
    assert gateways.of_token(token, NOW, name="mill") is None
    assert gateways.of_token(token[:-1], NOW) is None
    assert gateways.of_token("\ud800", NOW) is None, "any text may come"


@pytest.mark.parametrize(
    ("begins_h", "ends_h", "in_force"), [(-1, 1, True), (1, 2, False), (-2, -1, False), (0, 1, True), (-1, 0, False)]
)
def test_a_gateway_holds_from_its_first_instant_to_before_its_last(begins_h: int, ends_h: int, in_force: bool) -> None:
    gateways, token = known(valid_from=NOW + timedelta(hours=begins_h), valid_to=NOW + timedelta(hours=ends_h))
    assert (gateways.of_token(token, NOW) is not None) == in_force


def test_a_token_that_ended_is_nobody_s() -> None:
    gateways, token = known()
    over = Gateways.of(gateways.by_name.values(), {digest_of(token): ("boiler", NOW)})
    assert over.of_token(token, NOW) is None
    assert over.of_token(token, NOW - timedelta(seconds=1)) is not None


def test_names_are_fit_for_a_topic() -> None:
    assert NAME.fullmatch("a")
    assert NAME.fullmatch("plant-7-gw2")
    for name in ("", "-a", "a-", "A", "a_b", "a.b", "水泥", "a" * 64, "a\n"):
        assert not NAME.fullmatch(name), name
    assert inbox_of("a") == "metering.inbox.a"
