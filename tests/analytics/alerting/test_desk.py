import time
import tomllib
from dataclasses import replace
from datetime import timedelta

import pytest

from analytics.alerting.desk import AddressedLetter, Desk, Silence
from analytics.alerting.lifecycle import Phase, Purpose
from analytics.alerting.rule_table import parse_rules
from analytics.alerting.signal import FINDING, Source
from analytics.alerting.words import LINKS, compose
from analytics.domain.severity import Severity
from tests.analytics.alerting.makers import MINUTE, T0, ZONE, default_rules, desk_of, rules_of, signal

HOUR = 60 * MINUTE


def run(desk: Desk, until: timedelta) -> list[AddressedLetter]:
    """Everything that leaves until then, the clock asked whenever it is due."""
    out = []
    now = T0
    for _ in range(50_000):
        desk.tick(now)
        out += desk.letters(now)
        at = desk.next_at()
        if at is None or at > T0 + until:
            return out
        now = max(at, now)
    raise AssertionError("never comes to rest")


def purposes(out: list[AddressedLetter], recipient: str) -> list[Purpose]:
    return [post.purpose for one in out if one.recipient.name == recipient for post in one.letter.posts]


def test_a_gateway_that_dies_is_one_alert_not_300() -> None:
    desk = desk_of(default_rules())
    for n in range(300):
        desk.signal(
            signal(n, kind="silence", severity=Severity.WARNING, started_at=T0 + n * timedelta(seconds=3)),
            T0 + timedelta(seconds=3 * n),
        )
    out = run(desk, 2 * HOUR)
    assert len(desk.cards) == 1
    assert purposes(out, "person:li.na") == [Purpose.RAISE]
    assert purposes(out, "person:u1") == [Purpose.RAISE], "the enterprise is told of its own"
    [card] = desk.cards.values()
    text = compose(out[0].letter, desk.cards, language="zh", role="inspector", zone=ZONE, ref="R")
    assert "300 处无上报" in text.title
    assert card.alert.ever == card.alert.standing == 300


@pytest.mark.parametrize("first", ["closed", "opened"])
def test_a_step_that_is_found_to_be_a_ramp_stays_the_same_alert(first: str) -> None:
    desk = desk_of(default_rules())
    step = signal(1, kind="gain_step")
    desk.signal(step, T0)
    out = run(desk, 2 * HOUR)
    revised = T0 + timedelta(days=20)
    both = [
        replace(step, standing=False, ended_at=revised),
        signal(2, kind="gain_drift", point=step.point, started_at=T0 - timedelta(days=8)),
    ]
    for one in both if first == "closed" else reversed(both):
        desk.signal(one, revised)
    desk.tick(revised + 3 * HOUR)
    out += desk.letters(revised + 3 * HOUR)
    [card] = desk.cards.values()
    assert not card.alert.phase.over
    assert purposes(out, "person:li.na").count(Purpose.RAISE) == 1
    assert Purpose.CLEAR not in purposes(out, "person:li.na")


def test_a_meter_that_falls_silent_hours_later_is_another_alert() -> None:
    desk = desk_of(default_rules())
    desk.signal(signal(1, kind="silence"), T0)
    desk.signal(signal(2, kind="silence", started_at=T0 + 3 * HOUR), T0 + 3 * HOUR)
    assert len(desk.cards) == 2


def test_ten_thousand_detections_in_a_minute_become_a_handful_of_messages() -> None:
    desk = desk_of(default_rules())
    kinds = ("silence", "stuck", "scale", "clock")
    began = time.perf_counter()
    out = []
    for n in range(10_000):
        now = T0 + timedelta(seconds=n * 60 / 10_000)
        one = signal(n, kind=kinds[n % 4], unit_code=f"U{n % 120}", severity=list(Severity)[1 + n % 2], started_at=now)
        desk.signal(one, now)
        if n % 500 == 499:
            out += desk.letters(now)
    out += run(desk, 4 * HOUR)
    took = time.perf_counter() - began
    to_inspector = [one for one in out if one.recipient.name == "person:li.na"]
    assert 1 <= len(to_inspector) <= 25, "four hours of a storm, readable"
    first_minute = [one for one in to_inspector if one.letter.at <= T0 + MINUTE]
    assert len(first_minute) <= 5
    told = {post.alert for one in to_inspector for post in one.letter.posts}
    assert told == set(desk.cards), "no alert was forgotten"
    longest = max(
        len(compose(one.letter, desk.cards, language="zh", role="inspector", zone=ZONE, ref="R").body)
        for one in to_inspector
    )
    assert longest < 3000
    assert took < 60


def test_over_and_old_is_no_news() -> None:
    desk = desk_of(default_rules())
    old = signal(1, started_at=T0 - timedelta(days=9), ended_at=T0 - timedelta(days=8), standing=False)
    assert desk.signal(old, T0) is None
    assert desk.signal(replace(old, source_id=2, ended_at=None, standing=True), T0) is not None, "it still lasts"


def test_a_signal_that_changes_keeps_its_alert_and_its_energy_counts_once() -> None:
    desk = desk_of(default_rules())
    key = desk.signal(signal(1, energy=100.0, energy_unit="kWh"), T0)
    assert desk.signal(signal(1, energy=250.0, energy_unit="kWh"), T0 + MINUTE) == key
    assert key is not None
    assert desk.cards[key].energy == {"kWh": 250.0}
    desk.signal(signal(1, energy=250.0, energy_unit="kWh", ended_at=T0 + HOUR, standing=False), T0 + HOUR)
    out = run(desk, 3 * HOUR)
    assert purposes(out, "person:li.na") == [Purpose.RAISE, Purpose.CLEAR]
    assert desk.cards[key].alert.phase is Phase.CLEARED
    assert desk.signal(signal(1, standing=False), T0 + 4 * HOUR) is None
    assert desk.signal(signal(1), T0 + 5 * HOUR) != key, "what comes back after the clear is another alert"


def test_nobody_answers_and_staff_is_told_an_acknowledgement_stops_it() -> None:
    for acknowledged in (False, True):
        desk = desk_of(default_rules())
        key = desk.signal(signal(1), T0)
        assert key is not None
        if acknowledged:
            desk.acknowledge(key, T0 + MINUTE)
        out = run(desk, 5 * HOUR)
        assert purposes(out, "person:wang") == ([] if acknowledged else [Purpose.ESCALATE])


def test_a_silence_covers_its_point_alone() -> None:
    work = Silence(starts_at=T0, ends_at=T0 + 5 * HOUR, unit_code="U1", point="P1")
    desk = desk_of(default_rules(), silences=[work])
    desk.signal(signal(1), T0)
    desk.signal(signal(2), T0)
    out = run(desk, 3 * HOUR)
    assert [post.alert for one in out for post in one.letter.posts] == [key for key in desk.cards if "|P2" in key]
    later = run(desk, 6 * HOUR)
    assert any("|P1" in post.alert for one in later for post in one.letter.posts)


def test_an_enterprise_is_asked_and_hears_of_no_other() -> None:
    desk = desk_of(default_rules())
    desk.signal(signal(1, kind="verification", source=Source.VERIFICATION, severity=Severity.INFO), T0)
    desk.signal(signal(2, kind="verification", source=Source.VERIFICATION, unit_code="U2"), T0)
    out = run(desk, HOUR)
    assert {one.recipient.name for one in out} == {"person:u1"}
    assert {desk.cards[post.alert].unit_code for one in out for post in one.letter.posts} == {"U1"}
    text = compose(out[0].letter, desk.cards, language="zh", role="enterprise", zone=ZONE, ref="R")
    assert text.title.startswith("【提醒】")
    assert "请协助" in text.body
    assert "把握" not in text.body


def test_a_group_of_findings_names_the_clauses_that_are_broken() -> None:
    desk = desk_of(default_rules())
    for n, clause in enumerate(("4.3.10", "4.3.8", "4.3.8")):
        evidence = {"clause": clause, "edition": "GB 17167-2006", "required": "x", "found": "y"}
        for unit in ("U1", "U2"):
            one = signal(
                10 * n + (unit == "U2"), kind=FINDING, source=Source.FINDING, unit_code=unit, evidence=evidence
            )
            desk.signal(one, T0)
    out = run(desk, 2 * HOUR)
    posts = tuple(post for one in out for post in one.letter.posts)
    letter = replace(out[0].letter, posts=posts)
    zh, en = (
        compose(letter, desk.cards, language=language, role="inspector", zone=ZONE, ref="R")
        for language in ("zh", "en")
    )
    assert len(posts) == 2, "two units"
    rows = [line for line in zh.body.splitlines() if line.startswith("- ")]
    assert all(row.count("4.3.8、4.3.10") == 1 for row in rows), rows
    assert en.body.count("(4.3.8, 4.3.10)") == 2
    alone = replace(letter, posts=posts[:1])
    text = compose(alone, desk.cards, language="zh", role="inspector", zone=ZONE, ref="R")
    assert "\n条款：4.3.8、4.3.10\n" in text.body
    assert text.body.count("要求：x；实际：y") == 3, "each with what is required and what was found"


@pytest.mark.parametrize(
    ("kind", "carrier", "word", "never"),
    [
        ("ratio", "electricity", "互感器", "脉冲当量"),
        ("ratio", "hot_water", "脉冲当量", "互感器"),
        ("gain_step", "hot_water", "温度传感器", "互感器"),
        ("gain_drift", "natural_gas", "直管段", "互感器"),
        ("ratio", "coal", "砝码", "互感器"),
    ],
)
def test_what_is_to_be_checked_fits_the_instrument(kind: str, carrier: str, word: str, never: str) -> None:
    """A heat meter has no current transformers."""
    desk = desk_of(default_rules())
    desk.signal(signal(1, kind=kind, carrier=carrier, started_at=T0 - 5 * HOUR), T0)
    [one, *_] = run(desk, MINUTE)
    body = compose(one.letter, desk.cards, language="zh", role="inspector", zone=ZONE, ref="7F3K").body
    assert word in body
    assert never not in body


def test_energy_that_was_counted_too_little_is_said() -> None:
    desk = desk_of(default_rules())
    fault = signal(1, kind="gain_step", confidence=0.97, energy=-5600.0, energy_unit="kWh", magnitude=-0.05)
    key = desk.signal(fault, T0)
    assert key is not None
    desk.signal(replace(fault, energy=-5700.0), T0 + MINUTE)
    assert desk.cards[key].energy == {"kWh": 5700.0}
    [one, *_] = run(desk, MINUTE)
    zh = compose(one.letter, desk.cards, language="zh", role="inspector", zone=ZONE, ref="7F3K").body
    en = compose(one.letter, desk.cards, language="en", role="inspector", zone=ZONE, ref="7F3K").body
    assert "受影响能量：少计 5,700 kWh" in zh
    assert "Energy in doubt: 5,700 kWh too little" in en


def test_a_finding_has_neither_a_confidence_nor_an_amount() -> None:
    desk = desk_of(default_rules())
    evidence = {"edition": "GB 17167-2006", "clause": "4.3.4", "required": "在检定有效期内", "found": "已过期 35 天"}
    desk.signal(signal(1, source=Source.FINDING, kind=FINDING, evidence=evidence), T0)
    [one, *_] = run(desk, MINUTE)
    body = compose(one.letter, desk.cards, language="zh", role="inspector", zone=ZONE, ref="7F3K").body
    assert "证据：GB 17167-2006 4.3.4；要求：在检定有效期内；实际：已过期 35 天" in body
    assert not any(word in body for word in ("置信度", "受影响能量", "未知"))


def test_a_message_says_which_since_when_how_sure_what_it_affects_and_what_to_do() -> None:
    desk = desk_of(default_rules())
    desk.signal(
        signal(
            1,
            place="二号配电室",
            confidence=0.97,
            energy=1234.0,
            energy_unit="kWh",
            started_at=T0 - 5 * HOUR,
            evidence={"dial": 4321.5, "readings_at_that_value": 24, "unit": "kWh"},
        ),
        T0,
    )
    [one, *_] = run(desk, MINUTE)
    zh = compose(one.letter, desk.cards, language="zh", role="inspector", zone=ZONE, ref="7F3K", board="https://b/x")
    for word in ("严重", "First", "P1", "M1", "停走"):
        assert word in zh.title
    for word in (
        "U1",
        "二号配电室",
        "2026-11-23 05:00",
        "5 小时",
        "4,321.5 kWh",
        "24",
        "97%",
        "1,234 kWh",
        "建议检查",
        "https://b/x",
        "7F3K",
        LINKS,
    ):
        assert word in zh.body, word
    en = compose(one.letter, desk.cards, language="en", role="inspector", zone=ZONE, ref="7F3K")
    assert en.title == "[serious] First P1 M1: stuck"
    assert "Suggested check" in en.body


def test_conditions_by_region_unit_carrier_and_energy() -> None:
    rules = rules_of("""
    [regions]
    east = ["3301*"]
    [recipient.room]
    channel = "duty"
    [[rule]]
    name = "east, much"
    region = ["east"]
    carrier = ["electricity"]
    energy = { kWh = 1000 }
    tell = ["room"]
    """)
    desk = desk_of(rules)
    facts = {"unit_code": "3301X", "carrier": "electricity", "energy": 2000.0, "energy_unit": "kWh"}
    assert desk.signal(signal(1, **facts), T0) is not None
    assert desk.signal(signal(2, **facts | {"unit_code": "3302X"}), T0) is None
    assert desk.signal(signal(3, **facts | {"carrier": "water"}), T0) is None
    assert desk.signal(signal(4, **facts | {"energy": 10.0}), T0) is None
    assert desk.signal(signal(5, **facts | {"energy": None}), T0) is not None, "unknown is not small"
    assert desk.signal(signal(6, **facts | {"energy": -2000.0}), T0) is not None, "counted too little is not small"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "rule must be at least one table"),
        ("[[rule]]\ntell = []", "rule[1].name must be a text"),
        ('[[rule]]\nname = "a"\nkind = ["stuk"]', "rule[1] a.kind must be a list of balance_change, clock, "),
        ('[[rule]]\nname = "a"\nhold_min = -1', "rule[1] a.hold_min must be a number of minutes from 0"),
        ('[[rule]]\nname = "a"\nhold_min = true', "(got True)"),
        ('[[rule]]\nname = "a"\nhold = 3', "rule[1] a.hold must be one of "),
        ('[[rule]]\nname = "a"\ntell = ["boss"]', "rule[1] a.tell must be recipients (enterprise"),
        ('[[rule]]\nname = "a"\nregion = ["x"]', "rule[1] a.region must be a name of [regions]"),
        ('[[rule]]\nname = "a"\n[[rule]]\nname = "a"', "a name that no other rule has"),
        (
            '[[rule]]\nname = "a"\nescalate = [{after_min = 9, tell = []}, {after_min = 3, tell = []}]',
            "rule[1] a.escalate must be a list of",
        ),
        ('[[rule]]\nname = "a"\n[people]\nquiet = "25:00-07:00"', "people.quiet must be two times of day"),
        ('[[rule]]\nname = "a"\n[recipient.x]\nlanguage = "zh"', "recipient.x must be one with a person or a channel"),
        ('[[rule]]\nname = "a"\n[severity]\nstuck = "bad"', "severity.stuck must be info or warning or serious"),
        ("rule = 3", "rule must be tables [[rule]] (got 3)"),
    ],
)
def test_bad_rules_are_told_with_place_requirement_and_what_came(text: str, fault: str) -> None:
    _, faults = parse_rules(tomllib.loads(text))
    assert any(fault in str(one) for one in faults), [*map(str, faults)]


def test_every_fault_of_a_file_is_told_at_once() -> None:
    _, faults = parse_rules(tomllib.loads('[[rule]]\nname="a"\nkind=["x"]\nhold_min="y"\ntell=["z"]\nwhat=1'))
    assert len(faults) == 4
