"""Rules out of a table as TOML gives it: every fault at once, each with its place, what was required and what came."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, time, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from analytics.alerting.lifecycle import Policy
from analytics.alerting.rules import AUDIENCES, GatewayRule, RecipientRule, Rule, Rules, UploadRule
from analytics.alerting.signal import KINDS, Source
from analytics.domain.severity import SEVERITIES, Severity

__all__ = ["RuleFault", "parse_rules"]


class RuleFault(NamedTuple):
    """One error in a rule file: where, what was required, what was found."""

    place: str
    required: str
    got: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.place} must be {self.required} (got {self.got})"


T = TypeVar("T")

_MISSING: Final = object()


class _Table:
    """A TOML table read key by key; keys left over are reported as unknown."""

    def __init__(self, place: str, values: object, faults: list[RuleFault]) -> None:
        self.place = place
        self.faults = faults
        self._known: set[str] = set()
        if isinstance(values, Mapping):
            self.values: Mapping[str, Any] = values
        else:
            self.values = {}
            self.fault("", "a table", values)

    def fault(self, key: str, required: str, got: object) -> None:
        place = f"{self.place}.{key}" if self.place and key else self.place or key
        self.faults.append(RuleFault(place, required, "nothing" if got is _MISSING else repr(got)))

    def get(self, key: str, default: Any, read: Callable[[Any], T], required: str) -> T:
        fallback: T = default
        self._known.add(key)
        if key not in self.values:
            return fallback
        try:
            return read(self.values[key])
        except (ValueError, TypeError, KeyError):
            self.fault(key, required, self.values[key])
            return fallback

    def end(self) -> None:
        for key in self.values.keys() - self._known:
            self.fault(key, f"one of {', '.join(sorted(self._known))}", key)


def parse_rules(table: Mapping[str, Any]) -> tuple[Rules, tuple[RuleFault, ...]]:
    """Rules of a table and all errors in it; rules with any error must not be used.

    Parameters
    ----------
    table : mapping
        As `tomllib` reads the file.

    Examples
    --------
    >>> rules, faults = parse_rules({"rule": [{"name": "all", "kind": ["stuk"], "tell": ["boss"]}]})
    >>> for fault in sorted(faults):
    ...     print(str(fault)[:56])
    rule[1] all.kind must be a list of balance_change, clock
    rule[1] all.tell must be recipients (enterprise, inspect
    """
    faults: list[RuleFault] = []
    root = _Table("", table, faults)
    regions = {
        name: _Table(f"regions.{name}", {"units": units}, faults).get("units", (), _texts, "a list of unit codes")
        for name, units in root.get("regions", {}, _mapping, "a table of lists").items()
    }
    severities = {
        kind: _Table("severity", {kind: word}, faults).get(kind, Severity.WARNING, Severity, _SEVERITY_WORDS)
        for kind, word in root.get("severity", {}, _mapping, "a table of kinds").items()
    }
    for kind in severities.keys() - KINDS:
        root.fault(f"severity.{kind}", _KIND_WORDS, kind)
    people = _recipient("", _Table("people", root.get("people", {}, _mapping, "a table"), faults))
    recipients = tuple(
        _recipient(name, _Table(f"recipient.{name}", values, faults))
        for name, values in root.get("recipient", {}, _mapping, "tables [recipient.NAME]").items()
    )
    rows = root.get("rule", (), _list, "tables [[rule]]")
    rules = tuple(_rule(_Table(_called(i, row), row, faults)) for i, row in enumerate(rows, 1))
    self_check = _Table("self_check", root.get("self_check", {}, _mapping, "a table"), faults)
    by = self_check.get("by", None, _month_and_day, "a month and a day, such as 12-31")
    self_check.end()
    gateways = _gateways(_Table("gateways", root.get("gateways", {}, _mapping, "a table"), faults))
    uploads = _uploads(_Table("uploads", root.get("uploads", {}, _mapping, "a table"), faults))
    root.end()
    found = Rules(
        rules=rules, regions=regions, recipients=recipients, severities=severities, people=people, self_check_by=by,
        gateways=gateways, uploads=uploads,
    )  # fmt: skip
    _agree(found, faults)
    return found, tuple(faults)


def _gateways(table: _Table) -> GatewayRule:
    plain = GatewayRule()
    rule = GatewayRule(
        after=table.get("after_h", plain.after, _hours, _HOURS),
        of=table.get("of", plain.of, _hours_of, "a table of hours by gateway"),
        tell=table.get("tell", plain.tell, _texts, "a list of recipients"),
    )
    table.end()
    return rule


def _uploads(table: _Table) -> UploadRule:
    plain = UploadRule()
    rule = UploadRule(
        after=table.get("after_h", plain.after, _hours, _HOURS),
        tell=table.get("tell", plain.tell, _texts, "a list of recipients"),
    )
    table.end()
    return rule


def _month_and_day(value: object) -> tuple[int, int]:
    month, day = (int(part) for part in str(value).split("-"))
    date(2001, month, day)  # a day of every year
    return month, day


def _agree(found: Rules, faults: list[RuleFault]) -> None:
    """Cross-checks: names are unique, and recipients that rules name exist."""
    if not found.rules:
        faults.append(RuleFault("rule", "at least one table [[rule]]", "nothing"))
    names = [rule.name for rule in found.rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    faults += [RuleFault(f"rule {name}.name", "a name that no other rule has", repr(name)) for name in twice]
    known = {recipient.name for recipient in found.recipients} | AUDIENCES
    for recipient in found.recipients:
        if recipient.name in AUDIENCES:
            faults.append(
                RuleFault(f"recipient.{recipient.name}", f"a name other than {_words(AUDIENCES)}", recipient.name)
            )
        if not recipient.person and not recipient.channel:
            faults.append(RuleFault(f"recipient.{recipient.name}", "one with a person or a channel", "neither"))
    for part, tell in (("gateways", found.gateways.tell), ("uploads", found.uploads.tell)):
        strangers = {*tell} - known
        faults += [RuleFault(f"{part}.tell", f"recipients ({_words(known)})", repr(name)) for name in strangers]
    for i, rule in enumerate(found.rules, 1):
        place = f"rule[{i}] {rule.name}"
        told = {*rule.tell, *(name for tier in rule.escalate for name in tier)}
        faults += [RuleFault(f"{place}.tell", f"recipients ({_words(known)})", repr(name)) for name in told - known]
        strange = {*rule.region} - {*found.regions}
        faults += [RuleFault(f"{place}.region", "a name of [regions]", repr(region)) for region in strange]


def _called(number: int, row: object) -> str:
    name = row.get("name") if isinstance(row, Mapping) else None
    return f"rule[{number}] {name}" if isinstance(name, str) and name else f"rule[{number}]"


def _rule(table: _Table) -> Rule:
    name = table.get("name", "", _name, "a text without |")
    if not name:
        table.fault("name", "a text that tells this rule from the others", table.values.get("name", _MISSING))
    tiers = table.get("escalate", (), _tiers, 'a list of { after_min = 60, tell = ["staff"] } in rising order')
    plain = Policy()
    policy = Policy(
        hold=table.get("hold_min", plain.hold, _minutes, _MINUTES),
        clear=table.get("clear_min", plain.clear, _minutes, _MINUTES),
        update=table.get("update_min", plain.update, _minutes, _MINUTES),
        escalate=tuple(after for after, _ in tiers),
        flaps=table.get("flaps", plain.flaps, _count, "a whole number from 1 to 100"),
        flap_window=table.get("flap_window_min", plain.flap_window, _minutes, _MINUTES),
        flap_hold=table.get("flap_hold_min", plain.flap_hold, _minutes, _MINUTES),
        tell_clear=table.get("tell_clear", plain.tell_clear, _flag, "true or false"),
    )
    rule = Rule(
        name=name,
        source=table.get("source", (), lambda value: tuple(Source(word) for word in _texts(value)), _SOURCE_WORDS),
        kind=table.get("kind", (), _kinds, _KIND_WORDS),
        severity=table.get("severity", Severity.INFO, Severity, _SEVERITY_WORDS),
        region=table.get("region", (), _texts, "a list of regions"),
        unit=table.get("unit", (), _texts, "a list of unit codes, * for any letters"),
        carrier=table.get("carrier", (), _texts, "a list of energy carriers"),
        confidence=table.get("confidence", 0.0, _share, "a number from 0 to 1"),
        energy=table.get("energy", {}, _amounts, "a table of amounts by unit, { kWh = 5000 }"),
        group=table.get("group", "point", _group, "point or unit"),
        window=table.get("window_min", Rule(name="").window, _minutes, _MINUTES),
        newest=table.get("newest_h", Rule(name="").newest, _hours, _HOURS),
        tell=table.get("tell", (), _texts, "a list of recipients"),
        escalate=tuple(tell for _, tell in tiers),
        policy=policy,
        case=table.get("case", False, _flag, "true or false"),
    )
    table.end()
    return rule


def _recipient(name: str, table: _Table) -> RecipientRule:
    quiet = table.get("quiet", (None, None), _quiet, 'two times of day, "22:00-07:00"')
    plain = RecipientRule(name="")
    recipient = RecipientRule(
        name=name,
        person=table.get("person", "", _text, "a person's login"),
        channel=table.get("channel", "", _text, "a name of the channels' file"),
        address=table.get("address", "", _text, "a text"),
        language=table.get("language", "", _language, "zh or en"),
        quiet_from=quiet[0],
        quiet_to=quiet[1],
        passes=table.get("quiet_passes", plain.passes, Severity, _SEVERITY_WORDS),
        burst=table.get("burst", plain.burst, _count, "a whole number from 1 to 100"),
        window=table.get("burst_min", plain.window, _minutes, _MINUTES),
    )
    table.end()
    return recipient


def _words(values: Sequence[str] | frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(values))


_MINUTES: Final = "a number of minutes from 0 to 1000000"
_HOURS: Final = "a number of hours from 0 to 100000"
_SEVERITY_WORDS: Final = " or ".join(SEVERITIES)
_SOURCE_WORDS: Final = f"a list of {', '.join(Source)}"
_KIND_WORDS: Final = f"a list of {_words(KINDS)}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _name(value: object) -> str:
    if "|" in _text(value) or "@" in _text(value):
        raise ValueError
    return _text(value).strip()


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(item) for item in _list(value))


def _list(value: object) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return tuple(value)


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError
    return value


def _number(value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError
    return float(value)


def _minutes(value: object) -> timedelta:
    return timedelta(minutes=_number(value, 0, 1e6))


def _hours(value: object) -> timedelta:
    return timedelta(hours=_number(value, 0, 1e5))


def _hours_of(value: object) -> dict[str, timedelta]:
    return {name: _hours(hours) for name, hours in _mapping(value).items()}


def _share(value: object) -> float:
    return _number(value, 0, 1)


def _count(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError
    return int(_number(value, 1, 100))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _kinds(value: object) -> tuple[str, ...]:
    words = _texts(value)
    if not KINDS.issuperset(words):
        raise ValueError
    return words


def _group(value: object) -> str:
    if value not in {"point", "unit"}:
        raise ValueError
    return _text(value)


def _language(value: object) -> str:
    if value not in {"zh", "en"}:
        raise ValueError
    return _text(value)


def _amounts(value: object) -> dict[str, float]:
    return {unit: _number(amount, 0, 1e18) for unit, amount in _mapping(value).items()}


def _tiers(value: object) -> tuple[tuple[timedelta, tuple[str, ...]], ...]:
    tiers = []
    for row in _list(value):
        if set(_mapping(row)) != {"after_min", "tell"}:
            raise ValueError
        tiers.append((_minutes(row["after_min"]), _texts(row["tell"])))
    after = [tier[0] for tier in tiers]
    if after != sorted(after):
        raise ValueError
    return tuple(tiers)


def _quiet(value: object) -> tuple[time | None, time | None]:
    begin, dash, end = _text(value).partition("-")
    if not dash:
        raise ValueError
    return _clock(begin), _clock(end)


def _clock(text: str) -> time:
    clock = time.fromisoformat(text.strip())
    if clock.tzinfo is not None:
        raise ValueError
    return clock
