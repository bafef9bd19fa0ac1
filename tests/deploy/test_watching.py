"""The rules and the guide for who watches: they speak of metrics that there are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ingest.gateway.config import parse_config
from ingest.gateway.run import RunningGateway
from streams.metrics import WorkerMetrics

ROOT = Path(__file__).parents[2]
WATCHING = ROOT / "deploy" / "watching"
METRIC = re.compile(r"\bmetering_[a-z_]+")
OF_THE_SENDER = {"metering_messages_open", "metering_message_age_seconds"}
OF_A_GATEWAY = {
    "metering_gateway_spool_bytes", "metering_gateway_spool_max_bytes", "metering_gateway_spool_oldest_seconds",
    "metering_gateway_spool_dropped_readings",
}  # fmt: skip


def of_the_worker() -> set[str]:
    names = set()
    for family in WorkerMetrics().registry.collect():
        names.add(family.name + ("_total" if family.type == "counter" else ""))
    return names


def test_a_gateway_has_the_metrics_that_rules_speak_of(tmp_path: Path) -> None:
    config = parse_config('[gateway]\nid = "g"\n', tmp_path / "gateway.toml")
    gateway = RunningGateway(config, connect=None, topics={})
    assert {family.name for family in gateway.metrics.collect()} >= OF_A_GATEWAY
    gateway.close()


def test_rules_are_about_metrics_that_there_are() -> None:
    text = (WATCHING / "alerts.yaml").read_text(encoding="utf-8")
    spoken = {name for line in re.findall(r"expr: (.*)", text) for name in METRIC.findall(line)}
    assert spoken
    assert spoken <= of_the_worker() | OF_THE_SENDER | OF_A_GATEWAY


@pytest.mark.parametrize("guide", ["watching.md", "watching.zh.md"])
def test_the_guide_says_what_every_metric_and_every_alert_means(guide: str) -> None:
    text = (ROOT / "deploy" / "guides" / guide).read_text(encoding="utf-8")
    assert of_the_worker() | OF_THE_SENDER | OF_A_GATEWAY <= set(METRIC.findall(text))
    alerts = set(re.findall(r"alert: (\w+)", (WATCHING / "alerts.yaml").read_text(encoding="utf-8")))
    assert alerts == set(re.findall(r"`(Meterwarden\w+)`", text))


def test_prometheus_itself_finds_the_rules_right() -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip(
            "promtool is not on this machine (Debian's package prometheus has it): the rules are not tried here"
        )
    subprocess.run([program, "test", "rules", "alerts.test.yaml"], cwd=WATCHING, check=True)
