from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.cli import cli
from deploy.stack import Stack
from ingest.kafka.config import KafkaConfig
from ingest.kafka.publisher import create_topics, end_offsets
from ingest.wire import READINGS_TOPIC
from tests.conftest import kafka_by_settings

HEADER = "unit_code,meter_no,measured_at,value,unit"

Ingest = Callable[..., Result]


@pytest.fixture
def ingest(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ingest:
    kafka_by_settings(stack.access, monkeypatch)
    monkeypatch.setenv("METERWARDEN_HOME", str(tmp_path))

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(cli, ["ingest", *map(str, arguments)])

    return run


def messages(stack: Stack) -> int:
    config = KafkaConfig(bootstrap=stack.bootstrap, security=stack.access.security)
    create_topics(config)
    return sum(end_offsets(config, READINGS_TOPIC).values())


def readings_file(folder: Path, *rows: str) -> Path:
    path = folder / "readings.csv"
    path.write_text("\n".join([HEADER, *rows]))
    return path


@pytest.mark.integration
@pytest.mark.parametrize(("options", "records"), [((), 1), (("--format", "json"), 100)], ids=["block", "json"])
def test_file_is_sent_and_counted(
    ingest: Ingest, stack: Stack, tmp_path: Path, options: tuple[str, ...], records: int
) -> None:
    before = messages(stack)
    file = readings_file(tmp_path, *(f"9111,M-{i},2026-11-21T08:15:00+08:00,{i},kWh" for i in range(100)))
    result = ingest(file, *options)
    assert result.exit_code == 0, result.output
    assert f"ingest: sent=100 bad=0 unsent=0 messages={records} bytes=" in result.stdout
    assert messages(stack) - before == records


@pytest.mark.integration
def test_bad_rows_are_sent_too_and_told_with_their_number(ingest: Ingest, stack: Stack, tmp_path: Path) -> None:
    before = messages(stack)
    file = readings_file(tmp_path, "9111,M-1,2026-11-21T08:15:00+08:00,1,kWh", "9111,M-1,noon,1,kWh")
    result = ingest(file)
    assert result.exit_code == 0, result.output
    assert "ingest: sent=2 bad=1 unsent=0 messages=2 " in result.stdout
    assert "readings.csv row 3: bad_time: must be measured_at: an ISO 8601 time" in result.stderr
    assert messages(stack) - before == 2


@pytest.mark.integration
def test_file_that_lacks_a_column_is_told_plainly_and_nothing_is_sent(
    ingest: Ingest, stack: Stack, tmp_path: Path
) -> None:
    before = messages(stack)
    (tmp_path / "r.csv").write_text("unit_code,value\n9111,1\n")
    result = ingest(tmp_path / "r.csv")
    assert result.exit_code == 2
    assert "meterwarden: r.csv: columns must be unit_code, meter_no, measured_at, value, unit" in result.stderr
    assert messages(stack) == before
