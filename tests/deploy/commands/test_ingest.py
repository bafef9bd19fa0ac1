from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.cli import cli
from deploy.commands.ingest import REFUSED
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
    other = ingest(file, "--language", "zh", "--again")
    assert "ingest：已发送 2 条，其中 1 条不是示值，未能发送 0 行；" in other.stdout
    assert "readings.csv 第 3 行：时间有误（要求 measured_at 为带时区的 ISO 8601 时间" in other.stderr
    assert "不是示值的行，已按原样发送，将被拒收：" in other.stderr
    english = ("must be", "time with", "the first", "rows", "readings that")
    left = [line for line in (other.stdout + other.stderr).splitlines() if any(words in line for words in english)]
    assert left == []


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


LEDGER = (
    "unit_code,unit_name,level,point,carrier,meter_no,unit,instrument,installed_from\n"
    "9112,Plant,unit,P1,electricity,M-1,kWh,electricity,2020-01-01\n"
)


@pytest.mark.integration
def test_a_file_that_would_be_refused_is_not_sent_and_a_second_sending_is_one_line(
    ingest: Ingest, stack: Stack, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERWARDEN_DATABASE", database)
    ledger = tmp_path / "ledger.csv"
    ledger.write_text(LEDGER)
    assert CliRunner().invoke(cli, ["ledger", "load", str(ledger)]).exit_code == 0
    before = messages(stack)
    strange = readings_file(tmp_path, *(f"9112,X-{i},2026-11-21T08:15:00+08:00,{i},kWh" for i in range(20)))
    stopped = ingest(strange)
    assert stopped.exit_code == REFUSED
    assert "20 of 20 readings would be refused for one reason; nothing is sent (--anyway" in stopped.stderr
    assert ingest(strange, "--check").exit_code == REFUSED
    assert messages(stack) == before
    assert ingest(strange, "--anyway").exit_code == REFUSED, "it is sent, and all of it will be refused"
    assert messages(stack) == before + 1

    sound = tmp_path / "sound.csv"
    sound.write_text("\n".join([HEADER, *(f"9112,M-1,2026-11-21T08:{m}:00+08:00,{m},kWh" for m in range(10, 20))]))
    assert ingest(sound).exit_code == 0
    again = ingest(sound, "--language", "zh")
    assert again.exit_code == 0
    assert len(again.stdout.splitlines()) == 1
    assert "sound.csv：此文件已于" in again.stdout
    assert "本次未发送；--again 再次发送" in again.stdout
    renamed = tmp_path / "renamed.csv"
    renamed.write_bytes(sound.read_bytes())
    assert "renamed.csv: sent before, at " in ingest(renamed).stdout
    assert messages(stack) == before + 2
    assert ingest(sound, "--again").exit_code == 0
    assert messages(stack) == before + 3
