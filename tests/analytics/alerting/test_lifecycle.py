from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.alerting.lifecycle import (
    Acknowledged,
    Alert,
    AlertIsOver,
    Cleared,
    Event,
    Notice,
    Phase,
    Policy,
    Purpose,
    SignalJoined,
    SignalLeft,
    Tick,
    next_at,
    step,
)
from analytics.domain.severity import SEVERITIES, Severity
from tests.analytics.alerting.makers import MINUTE, T0

HOUR = 60 * MINUTE
POLICY = Policy(hold=10 * MINUTE, clear=30 * MINUTE, update=HOUR, escalate=(HOUR, 3 * HOUR))

minutes = st.integers(0, 600).map(lambda n: n * MINUTE)
policies = st.builds(
    lambda hold, clear, update, escalate, flaps, window, flap_hold, tell: Policy(
        hold=hold,
        clear=clear,
        update=update,
        escalate=tuple(sorted(escalate)),
        flaps=flaps,
        flap_window=window,
        flap_hold=flap_hold,
        tell_clear=tell,
    ),
    minutes,
    minutes,
    minutes,
    st.lists(minutes, max_size=3),
    st.integers(1, 4),
    minutes,
    minutes,
    st.booleans(),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["join", "return", "leave", "withdraw", "instant", "acknowledge", "tick", "tick", "silence"]),
        st.integers(0, 300),
        st.sampled_from(SEVERITIES),
    ),
    max_size=40,
)


def joined(
    at: datetime, *, severity: Severity = Severity.WARNING, new: bool = True, instant: bool = False
) -> SignalJoined:
    return SignalJoined(at=at, severity=severity, started_at=at, new=new, instant=instant)


class Life:
    """An alert that is fed events, and whose clock is asked whenever it is due, as a store does."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.alert: Alert | None = None
        self.now = T0
        self.silent_until = T0
        self.told: list[tuple[Notice, Phase]] = []

    def feed(self, event: Event) -> None:
        self.run(event.at)
        if self.alert is not None and self.alert.phase.over:
            return
        self._step(event)

    def run(self, until: datetime) -> None:
        for _ in range(1000):
            at = next_at(self.alert, self.policy) if self.alert else None
            if at is None or at > until:
                break
            self._step(Tick(at=max(at, self.now)))
        else:
            raise AssertionError("the clock never comes to rest")
        self.now = max(self.now, until)

    def _step(self, event: Event) -> None:
        self.now = event.at
        silent = self.silent_until if self.silent_until > event.at else None
        self.alert, notices = step(self.alert, replace(event, silenced_until=silent), self.policy)
        assert not (silent and notices), "told in a silence"
        self.told += [(notice, self.alert.phase) for notice in notices]

    @property
    def purposes(self) -> list[Purpose]:
        return [notice.purpose for notice, _ in self.told]


def lived(policy: Policy, script: list[tuple[str, int, Severity]]) -> Life:
    """A life after a script of steps, each some minutes after the one before."""
    life = Life(policy)
    life.feed(joined(T0))
    standing, away = 1, 0
    for what, wait, severity in script:
        at = life.now + wait * MINUTE
        life.run(at)
        if life.alert is None or life.alert.phase.over:
            break
        if what == "join":
            life.feed(joined(at, severity=severity))
            standing += 1
        elif what == "return" and away:
            life.feed(joined(at, severity=severity, new=False))
            standing, away = standing + 1, away - 1
        elif what in {"leave", "withdraw"} and standing:
            life.feed(SignalLeft(at=at, withdrawn=what == "withdraw"))
            standing, away = standing - 1, away + 1
        elif what == "instant":
            life.feed(joined(at, severity=severity, instant=True))
        elif what == "acknowledge":
            life.feed(Acknowledged(at=at))
        elif what == "silence":
            life.silent_until = at + timedelta(minutes=wait)
    for _ in range(standing):
        if life.alert is not None and not life.alert.phase.over:
            life.feed(SignalLeft(at=life.now))
    return life


@given(policies, steps)
def test_no_alert_without_end(policy: Policy, script: list[tuple[str, int, Severity]]) -> None:
    life = lived(policy, script)
    life.run(life.now + 30 * timedelta(days=1))
    assert life.alert is not None
    assert life.alert.phase.over, "everything that stood behind it is gone for a month"
    assert life.alert.cleared_at is not None
    assert next_at(life.alert, policy) is None


@given(policies, steps)
def test_no_message_after_clear_and_each_in_its_order(policy: Policy, script: list[tuple[str, int, Severity]]) -> None:
    life = lived(policy, script)
    life.run(life.now + 30 * timedelta(days=1))
    purposes = life.purposes
    assert purposes.count(Purpose.RAISE) <= 1
    assert purposes.count(Purpose.CLEAR) <= 1
    assert not purposes or purposes[0] is Purpose.RAISE
    assert Purpose.CLEAR not in purposes[:-1]
    assert Purpose.CLEAR not in purposes or policy.tell_clear
    times = [notice.at for notice, _ in life.told]
    assert times == sorted(times)


@given(policies, steps)
def test_escalation_is_tier_by_tier_in_its_time_and_never_after_an_acknowledgement(
    policy: Policy, script: list[tuple[str, int, Severity]]
) -> None:
    life = lived(policy, script)
    life.run(life.now + 30 * timedelta(days=1))
    assert life.alert is not None
    escalations = [notice for notice, _ in life.told if notice.purpose is Purpose.ESCALATE]
    assert [notice.level for notice in escalations] == list(range(1, len(escalations) + 1))
    for notice in escalations:
        assert life.alert.raised_at is not None
        assert notice.at >= life.alert.raised_at + policy.escalate[notice.level - 1]
        assert life.alert.acknowledged_at is None or notice.at <= life.alert.acknowledged_at


@given(st.lists(minutes, min_size=1, max_size=3), minutes)
def test_nobody_answers_and_every_tier_is_told_at_its_minute(after: list[timedelta], hold: timedelta) -> None:
    policy = Policy(hold=hold, escalate=tuple(sorted(after)))
    life = Life(policy)
    life.feed(joined(T0))
    life.run(T0 + timedelta(days=3))
    told = [notice.at - T0 - hold for notice, _ in life.told if notice.purpose is Purpose.ESCALATE]
    assert told == sorted(after)


@given(policies, steps)
def test_the_number_of_messages_is_bounded_by_time_and_not_by_events(
    policy: Policy, script: list[tuple[str, int, Severity]]
) -> None:
    policy = replace(policy, update=max(policy.update, HOUR))
    life = lived(policy, script)
    life.run(life.now + timedelta(days=30))
    updates = life.purposes.count(Purpose.UPDATE)
    lasted = life.now - timedelta(days=30) - T0
    worsened = len(SEVERITIES) - 1
    assert updates <= lasted / policy.update + worsened + 1


@given(policies, steps)
def test_what_the_clock_says_is_when_it_changes(policy: Policy, script: list[tuple[str, int, Severity]]) -> None:
    life = lived(policy, script)
    if life.alert is None or life.alert.phase.over:
        return
    at = next_at(life.alert, policy)
    before = (at or life.now + timedelta(days=365)) - timedelta(microseconds=1)
    if before > life.now and life.silent_until <= life.now:
        alert, notices = step(life.alert, Tick(at=before), policy)
        assert (alert, notices) == (life.alert, ())


def test_what_ends_within_the_hold_is_told_nobody() -> None:
    life = Life(POLICY)
    life.feed(joined(T0))
    life.feed(SignalLeft(at=T0 + 9 * MINUTE))
    assert life.alert is not None
    assert life.alert.phase is Phase.DROPPED
    assert life.told == []


def test_flapping_is_one_alert_and_is_held_down() -> None:
    life = Life(replace(POLICY, flaps=3, flap_window=6 * HOUR, flap_hold=5 * HOUR))
    life.feed(joined(T0))
    at = T0 + 15 * MINUTE
    for _ in range(10):
        life.feed(SignalLeft(at=at))
        life.feed(joined(at + 5 * MINUTE, new=False))
        at += 20 * MINUTE
    life.feed(SignalLeft(at=at))
    life.run(at + 4 * HOUR)
    assert life.purposes == [Purpose.RAISE, Purpose.ESCALATE, Purpose.ESCALATE]
    assert life.alert is not None
    assert (life.alert.phase, life.alert.flaps) == (Phase.CLEARING, 10)
    life.run(at + 5 * HOUR)
    assert life.purposes[-1] is Purpose.CLEAR


def test_growth_is_told_once_and_not_for_every_signal() -> None:
    life = Life(POLICY)
    for n in range(300):
        life.feed(joined(T0 + n * MINUTE / 20))
    life.feed(Acknowledged(at=T0 + 20 * MINUTE))
    life.run(T0 + timedelta(days=1))
    assert life.purposes in ([Purpose.RAISE, Purpose.UPDATE], [Purpose.RAISE])
    life.feed(joined(life.now, severity=Severity.SERIOUS))
    assert life.purposes[-1] is Purpose.UPDATE, "worse is told at once"


def test_silence_keeps_still_and_what_stands_afterwards_is_told() -> None:
    life = Life(POLICY)
    life.silent_until = T0 + 5 * HOUR
    life.feed(joined(T0))
    life.run(T0 + 5 * HOUR - MINUTE)
    assert life.told == []
    life.run(T0 + 5 * HOUR)
    assert life.purposes == [Purpose.RAISE]


def test_what_was_over_before_the_silence_was_is_told_nobody() -> None:
    life = Life(POLICY)
    life.silent_until = T0 + 5 * HOUR
    life.feed(joined(T0))
    life.feed(SignalLeft(at=T0 + HOUR))
    life.run(T0 + 10 * HOUR)
    assert life.told == []
    assert life.alert is not None
    assert life.alert.phase is Phase.CLEARED


def test_an_instant_fault_is_told_at_once_and_clears_by_itself() -> None:
    life = Life(POLICY)
    life.feed(joined(T0, instant=True))
    life.run(T0 + HOUR)
    assert [(notice.purpose, notice.at - T0) for notice, _ in life.told] == [
        (Purpose.RAISE, 0 * MINUTE),
        (Purpose.CLEAR, 30 * MINUTE),
    ]


def test_a_withdrawn_detection_clears_its_alert_at_once() -> None:
    life = Life(POLICY)
    life.feed(joined(T0))
    life.feed(SignalLeft(at=T0 + HOUR / 2, withdrawn=True))
    assert life.purposes == [Purpose.RAISE, Purpose.CLEAR]


@pytest.mark.parametrize("event", [Acknowledged(at=T0 + HOUR), joined(T0 + HOUR), Cleared(at=T0 + HOUR)])
def test_what_is_over_takes_nothing(event: Event) -> None:
    life = Life(POLICY)
    life.feed(joined(T0))
    life.feed(Cleared(at=T0 + HOUR / 2))
    with pytest.raises(AlertIsOver, match=r"cleared since 2026-11-23 02:30"):
        step(life.alert, event, POLICY)
