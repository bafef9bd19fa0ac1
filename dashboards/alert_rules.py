"""Grafana's alert rules: they watch our own pipeline and nothing else; meters have alerts of their own."""

from dataclasses import dataclass
from typing import Final, Literal

from analytics.domain.words import Language, Phrase
from dashboards.panels import DATASOURCE_UID, Json
from dashboards.queries import query

__all__ = ["RULES", "RULE_GROUP", "Rule", "rule_json"]

RULE_GROUP: Final = "meterwarden"
_WINDOW_S: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Fires when the one number of its query stays above a limit."""

    uid: str
    title: Phrase
    summary: Phrase
    query: str
    above: float
    hold: str
    """How long it must last, in Grafana's words."""
    no_data: Literal["Alerting", "OK", "NoData"]


RULES: Final = (
    Rule(
        uid="mw-rule-silent",
        title=Phrase(zh="工作进程无上报", en="No worker reports"),
        summary=Phrase(zh="五分钟内没有工作进程上报", en="no worker has written a sample for five minutes"),
        query="rule_silent",
        above=300,
        hold="1m",
        no_data="Alerting",
    ),
    Rule(
        uid="mw-rule-lag",
        title=Phrase(zh="积压过多", en="Lag"),
        summary=Phrase(zh="未入库的记录超过十万条", en="more than 100,000 records are not yet stored"),
        query="rule_lag",
        above=100_000,
        hold="10m",
        no_data="OK",
    ),
    Rule(
        uid="mw-rule-fence-age",
        title=Phrase(zh="读数迟迟不入库", en="Readings wait to be stored"),
        summary=Phrase(zh="已取出的读数超过一分钟未入库", en="a reading that was fetched is not stored after a minute"),
        query="rule_fence_age",
        above=60,
        hold="5m",
        no_data="OK",
    ),
    Rule(
        uid="mw-rule-rejected",
        title=Phrase(zh="拒收过多", en="Many readings are refused"),
        summary=Phrase(zh="近一小时拒收超过5%", en="more than 5 % of the last hour's readings were refused"),
        query="rule_rejected",
        above=5,
        hold="10m",
        no_data="OK",
    ),
    Rule(
        uid="mw-rule-outbox",
        title=Phrase(zh="告警消息发不出去", en="Messages of alerts do not go out"),
        summary=Phrase(
            zh="有消息发送失败或等待超过一刻钟", en="messages failed, or wait for more than a quarter of an hour"
        ),
        query="rule_outbox",
        above=0,
        hold="5m",
        no_data="OK",
    ),
    Rule(
        uid="mw-rule-totals",
        title=Phrase(zh="汇总滞后", en="Totals are late"),
        summary=Phrase(
            zh="待更新的小时汇总超过一刻钟", en="a stale total has waited for more than a quarter of an hour"
        ),
        query="rule_totals",
        above=900,
        hold="5m",
        no_data="OK",
    ),
)


def rule_json(rule: Rule, language: Language, *, folder: str) -> Json:
    """A rule as Grafana's provisioning API takes it (9.1 and later).

    Parameters
    ----------
    folder
        Uid of the folder that holds it.
    """
    return {
        "annotations": {"summary": rule.summary.of(language)},
        "condition": "B",
        "data": [_asked(rule), _above(rule)],
        "execErrState": "Alerting",
        "folderUID": folder,
        "for": rule.hold,
        "labels": {"source": "meterwarden"},
        "noDataState": rule.no_data,
        "orgID": 1,  # Grafana wants one; the organization of the request is what counts
        "ruleGroup": RULE_GROUP,
        "title": rule.title.of(language),
        "uid": rule.uid,
    }


def _asked(rule: Rule) -> Json:
    return {
        "datasourceUid": DATASOURCE_UID,
        "model": {"editorMode": "code", "format": "table", "rawQuery": True, "rawSql": query(rule.query), "refId": "A"},
        "queryType": "",
        "refId": "A",
        "relativeTimeRange": {"from": _WINDOW_S, "to": 0},
    }


def _above(rule: Rule) -> Json:
    condition = {
        "evaluator": {"params": [rule.above], "type": "gt"},
        "operator": {"type": "and"},
        "query": {"params": ["A"]},
        "reducer": {"params": [], "type": "last"},
        "type": "query",
    }
    return {
        "datasourceUid": "-100",  # Grafana's own expressions
        "model": {"conditions": [condition], "expression": "A", "refId": "B", "type": "threshold"},
        "queryType": "",
        "refId": "B",
        "relativeTimeRange": {"from": _WINDOW_S, "to": 0},
    }
