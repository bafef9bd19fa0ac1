"""One afternoon: from an empty database to the hours of meters on four kinds of lines, and of what others send."""

import gzip
import json
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from deploy.cli import cli
from deploy.gateway import keep_running, topics_of
from deploy.region.session import Place, fresh_place, load, working
from deploy.settings import load as load_settings
from deploy.stack import Stack
from deploy.stack.ports import free_ports
from ingest.gateway.access import digest_of, new_token
from ingest.gateway.config import GatewayConfig, load_config, parse_config
from ingest.gateway.run import RunningGateway
from ingest.gateway.simulate import SimulatedLink
from ingest.gateway.status import faults_of, read_status
from ingest.kafka.publisher import Publisher
from tests.ingest.gateway.brokers import certificate, mosquitto, needs

TOKEN = new_token()
LEDGER = """用能单位代码,用能单位名称,计量级别,计量点编号,能源种类,管理编号,器具类别,计量单位,启用日期
U1,试验厂,unit,P1,电力,M1,电能表,kWh,2020-01-01
U1,试验厂,unit,P2,电力,M2,电能表,kWh,2020-01-01
U1,试验厂,unit,P3,水,M3,水表,m3,2020-01-01
U1,试验厂,unit,P4,热水,M4,热能表,kWh,2020-01-01
U1,试验厂,unit,P5,电力,M5,电能表,kWh,2020-01-01
U1,试验厂,unit,P6,电力,M6,电能表,kWh,2020-01-01
"""
DEVICES = (
    ("dlt645-2007", "201709320072", "", "M1"),
    ("modbus-rtu", "3", "acrel-dtsd1352-adl400", "M2"),
    ("cjt188", "78330011223344", "water", "M3"),
    ("mbus", "5", "heat", "M4"),
)


def file_of(folder: Path, ports: list[int], *, interval: str = "15m", extra: str = "") -> Path:
    lines = [
        "[gateway]", 'id = "plant-1"', 'unit_code = "U1"', f'interval = "{interval}"', "[store]", 'path = "spool"',
    ]  # fmt: skip
    for number, port in enumerate(ports):
        lines += ["[[link]]", f'name = "l{number}"', 'host = "127.0.0.1"', f"port = {port}", 'timeout = "2s"']
    for number, (protocol, address, profile, meter) in enumerate(DEVICES):
        lines += [
            "[[device]]", f'link = "l{number % len(ports)}"', f'protocol = "{protocol}"', f'address = "{address}"',
            f'profile = "{profile}"', f'meter_no = "{meter}"',
        ]  # fmt: skip
    file = folder / "gateway.toml"
    file.write_text("\n".join(lines) + "\n" + extra, encoding="utf-8")
    return file


def far_ends(config: GatewayConfig, clock: Callable[[], float] = time.time) -> list[SimulatedLink]:
    return [
        SimulatedLink(link, config.devices_of(link.name), config.zone, clock=clock).start() for link in config.links
    ]


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def until(
    condition: Callable[[], object], timeout_s: float = 60.0, state: Callable[[], object] = lambda: "not in time"
) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, state()
        time.sleep(0.2)


def rows(place: Place, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(place.dsn) as connection:
        return connection.execute(query.encode()).fetchall()


HOURS = """
select p.code, count(*), sum(h.amount) from consumption_hour h
join metering_point p on p.id = h.point_id where h.completeness > 0.999 group by p.code
"""


@pytest.mark.integration
def test_from_an_empty_database_to_the_hours_of_every_meter(stack: Stack, tmp_path: Path, ends: ExitStack) -> None:
    needs("curl", "mosquitto", "mosquitto_pub")
    place = fresh_place(stack.settings, access=stack.access, dsn=stack.dsn, name="afternoon")
    (tmp_path / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    load(place, tmp_path / "ledger.csv")
    ends.enter_context(working(place, home=tmp_path / "home", log=tmp_path / "worker.log", tick_s=1.0))
    tls = certificate(tmp_path / "tls")
    broker = ends.enter_context(mosquitto(tmp_path / "broker", inflight=1000))
    *ports, http = free_ports(5)
    extra = (
        f'[http]\nport = {http}\ncertificate = "{tls.certificate}"\nkey = "{tls.key}"\n'
        f'[[http.sender]]\nname = "scada"\nunits = ["U1"]\ntoken_sha256 = ["{digest_of(TOKEN).hex()}"]\n'
        f'[[mqtt]]\nhost = "127.0.0.1"\nport = {broker}\n'
        '[[mqtt.topic]]\ntopic = "plant/{meter_no}/energy"\nmeasured_at = "$.ts"\ntime = "s"\n'
        '[[mqtt.topic.value]]\npath = "$.kwh"\nunit = "kWh"\n'
    )
    config = load_config(file_of(tmp_path, ports, extra=extra))
    began, real = time.time() // 3600 * 3600 - 4 * 3600, time.monotonic()

    def clock() -> float:  # ten minutes of the afternoon a second
        return min(began + (time.monotonic() - real) * 600, began + 4 * 3600)

    lines = far_ends(config, clock)
    gateway = RunningGateway(
        config, connect=lambda: Publisher(place.kafka), topics=topics_of(config.kafka, place.kafka), clock=clock,
        tick_s=0.05,
    )  # fmt: skip
    gateway.start()
    for line in lines:
        ends.callback(line.close)
    ends.callback(gateway.close)

    times = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began + 900 * i)) for i in range(17)]
    readings = [
        {"unit_code": "U1", "meter_no": "M5", "measured_at": at, "value": 100 + i, "unit": "kWh"}
        for i, at in enumerate(times)
    ]
    (tmp_path / "readings.json.gz").write_bytes(gzip.compress(json.dumps(readings).encode()))
    answer = subprocess.run(
        ["curl", "--silent", "--show-error", "--cacert", tls.certificate, "-H", f"Authorization: Bearer {TOKEN}",
         "-H", "Content-Encoding: gzip", "-H", "Content-Type: application/json",
         "--data-binary", f"@{tmp_path}/readings.json.gz", f"https://localhost:{http}/readings"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert json.loads(answer.stdout) == {"accepted": 17, "rejected": 0, "rows": []}
    for i in range(17):
        message = json.dumps({"ts": began + 900 * i, "kwh": 500 + 2 * i})
        subprocess.run(
            ["mosquitto_pub", "-p", str(broker), "-q", "1", "-t", "plant/M6/energy", "-m", message],
            check=True, timeout=120,
        )  # fmt: skip

    until(
        lambda: len([row for row in rows(place, HOURS) if int(str(row[1])) >= 2]) == 6,
        240.0,
        lambda: (
            rows(place, HOURS),
            rows(place, "select reason, got, sum(readings) from rejected group by 1, 2"),
            rows(
                place,
                "select meter_no, register, count(*), min(measured_at), max(measured_at) from reading group by 1, 2",
            ),
            [(state.config.meter_no, state.status, state.detail) for state in gateway.states()],
            gateway.forwarder and gateway.forwarder.error,
            gateway.spool and gateway.spool.stats(),
            (tmp_path / "worker.log").read_text(encoding="utf-8")[-1500:],
        ),
    )
    amounts = {str(code): (int(str(count)), float(str(total))) for code, count, total in rows(place, HOURS)}
    assert amounts["P5"][1] == pytest.approx(4.0 * amounts["P5"][0])
    assert amounts["P6"][1] == pytest.approx(8.0 * amounts["P6"][0])
    load_of = {meter: 1 + sum(meter.encode()) % 50 for meter in ("M1", "M2", "M3", "M4")}
    for point, meter in (("P1", "M1"), ("P2", "M2"), ("P3", "M3")):
        count, total = amounts[point]
        assert total / count == pytest.approx(load_of[meter], rel=0.05), point
    assert rows(place, "select count(*) from rejected") == [(0,)]
    states = rows(place, "select meter_no, status from device_state order by 1")
    assert states == [("M1", "ok"), ("M2", "ok"), ("M3", "ok"), ("M4", "ok")]
    offsets = rows(place, "select distinct meter_no from reading where register = 'clock_offset' order by 1")
    assert offsets == [("M1",), ("M3",), ("M4",)]
    _dead_meter_has_a_cause(place, lines, gateway)


def _dead_meter_has_a_cause(place: Place, lines: list[SimulatedLink], gateway: RunningGateway) -> None:
    """The clock has come to its end: the rounds are turned by hand."""
    lines[0].mute.add("M1")
    worker = gateway.workers["l0"]
    (state,) = worker.states()
    worker._clock = time.time
    worker.round(state)
    until(lambda: rows(place, "select status from device_state where meter_no = 'M1'") == [("no_answer",)], 60.0)
    with psycopg.connect(place.dsn) as connection:
        connection.execute(
            b"insert into detection (unit_id, point_id, meter_id, kind, started_at, detected_at, severity) "
            b"select p.unit_id, p.id, m.id, 'silence', now(), now(), 'warning' from metering_point p, meter m "
            b"where p.code = 'P1' and m.meter_no = 'M1'"
        )
        evidence = connection.execute(
            b"select evidence from detection where kind = 'silence' order by id desc"
        ).fetchone()
    assert evidence is not None
    assert str(evidence[0]["cause"]).startswith("设备无应答，自 ")
    assert str(evidence[0]["cause_en"]).startswith("the device does not answer, since ")


@pytest.mark.integration
def test_broker_that_is_away_and_a_gateway_that_is_started_again_lose_nothing(stack: Stack, tmp_path: Path) -> None:
    place = fresh_place(stack.settings, access=stack.access, dsn=stack.dsn, name="again")
    config = load_config(file_of(tmp_path, free_ports(4), interval="1s"))
    lines = far_ends(config)
    try:
        away = RunningGateway(config, connect=None, topics={})
        away.start()
        assert away.spool is not None
        until(lambda: away.spool.stats().readings > 40, 60.0)  # type: ignore[union-attr]
        waiting = away.spool.stats().readings
        away.close()
        back = RunningGateway(
            config, connect=lambda: Publisher(place.kafka), topics=topics_of(config.kafka, place.kafka)
        )
        back.start()
        assert back.forwarder is not None
        until(lambda: back.forwarder.sent_readings >= waiting, 60.0)  # type: ignore[union-attr]
        back.close()
    finally:
        for line in lines:
            line.close()


def meterwarden(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["gateway", *map(str, arguments)])
    return result.exit_code, result.output


def test_check_tells_what_the_ledger_does_not_know(tmp_path: Path) -> None:
    file = file_of(tmp_path, [1, 2, 3, 4])
    (tmp_path / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    code, output = meterwarden("check", file, "--ledger", tmp_path / "ledger.csv")
    assert (code, output) == (0, "gateway check: links=4 devices=4 mqtt=0 http=no unknown=0\n")
    (tmp_path / "ledger.csv").write_text(LEDGER.replace("M2", "M22"), encoding="utf-8")
    code, output = meterwarden("check", file, "--ledger", tmp_path / "ledger.csv")
    assert code == 1
    assert "meter_no must be a meter of unit U1 in ledger.csv (got 'M2')" in output
    file.write_text("[gateway]\n", encoding="utf-8")
    code, output = meterwarden("check", file)
    assert code == 2
    assert "gateway.toml:1: [gateway] id must be a text (got nothing)" in output


def test_read_shows_bytes_values_and_where_the_table_comes_from(tmp_path: Path) -> None:
    file = file_of(tmp_path, free_ports(4))
    lines = far_ends(load_config(file))
    try:
        code, output = meterwarden("read", file, "M1")
        assert code == 0
        assert "→ FE FE FE FE 68 72 00 32 09 17 20 68 11 04 33 33 34 33" in output
        assert "main " in output
        assert "kWh" in output
        assert "table: DL/T 645-2007" in output
        code, output = meterwarden("read", file, "3")
        assert code == 0
        assert "table: profile acrel-dtsd1352-adl400 v1:" in output
        lines[0].mute.add("M1")
        code, output = meterwarden("read", file, "M1")
        assert code == 1
        assert "no_answer: DL/T 645: an answer is required" in output
        code, output = meterwarden("scan", file, "l1", "--protocol", "modbus-rtu", "--last", "5")
        assert "modbus slave 3: there" in output
        assert "gateway scan: found=1" in output
        code, output = meterwarden("scan", file, "l3", "--protocol", "mbus", "--first", "4", "--last", "6")
        assert "mbus address 5: KAM 00000005" in output or "mbus address 5: " in output
        code, output = meterwarden("scan", file, "l2", "--protocol", "cjt188")
        assert "cjt188 type 10 address 78330011223344" in output
        assert "gateway scan: found=1" in output
        code, output = meterwarden("read", file, "nobody")
        assert code == 2
        assert "device must be one meter number or address of the file" in output
    finally:
        for line in lines:
            line.close()


def test_token_is_shown_once_beside_its_digest() -> None:
    code, output = meterwarden("token")
    assert code == 0
    token = output.split("sender): ")[1].split()[0]
    assert digest_of(token).hex() in output


def test_file_that_changes_is_read_again_and_a_faulty_one_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("deploy.gateway._LOOK_S", 0.1)
    file = file_of(tmp_path, free_ports(4), interval="1s")
    told: list[str] = []
    stop = threading.Event()
    caplog.set_level("INFO")
    settings = load_settings({"METERWARDEN_HOME": str(tmp_path)})

    def run() -> None:
        keep_running(
            file, kafka=None, settings=settings, dry=True, stop=stop,
            told=lambda state, _: told.append(state.config.meter_no),
        )  # fmt: skip

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: "the first round comes at " in caplog.text, 60.0)
    assert ", a multiple of the interval of 1 s" in caplog.text
    until(lambda: len(told) >= 4, 60.0)
    sound = file.read_text(encoding="utf-8")
    file.write_text(sound.replace('"dlt645-2007"', '"nonsense"'), encoding="utf-8")
    until(lambda: "the file stays as it was read before" in caplog.text, 60.0)
    file.write_text(sound.replace('meter_no = "M1"', 'meter_no = "M9"'), encoding="utf-8")
    until(lambda: "M9" in told, 60.0)
    stop.set()
    thread.join(20)
    assert not (tmp_path / "spool").exists()


@pytest.mark.integration
def test_a_gateway_beside_the_database_tells_it_how_it_and_its_senders_are(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: ExitStack
) -> None:
    monkeypatch.setattr("deploy.gateway._LOOK_S", 0.1)
    monkeypatch.setattr("deploy.gateway._NOTE_S", 0.2)
    place = fresh_place(stack.settings, access=stack.access, dsn=stack.dsn, name="beside")
    (http,) = free_ports(1)
    file = tmp_path / "gateway.toml"
    file.write_text(
        f'[gateway]\nid = "plant-1"\n[store]\npath = "spool"\n[http]\nport = {http}\n[[http.sender]]\n'
        f'name = "scada"\nunits = ["U1"]\ntoken_sha256 = ["{digest_of(TOKEN).hex()}"]\n',
        encoding="utf-8",
    )
    stop = threading.Event()
    settings = load_settings({"METERWARDEN_HOME": str(tmp_path)})
    thread = threading.Thread(
        target=keep_running, args=(file,), kwargs={"kafka": place.kafka, "settings": settings, "dsn": place.dsn,
                                                   "stop": stop},
    )  # fmt: skip
    thread.start()
    ends.callback(thread.join, 60)
    ends.callback(stop.set)
    states = "select name, delivered_at is not null, told_at is not null, max_bytes > 0 from gateway_state order by 1"
    until(lambda: rows(place, states) == [("plant-1", False, True, True)], 60.0, lambda: rows(place, states))
    reading = {
        "unit_code": "U1",
        "meter_no": "M1",
        "measured_at": "2026-11-30T08:15:00+08:00",
        "value": 1,
        "unit": "kWh",
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{http}/readings", json.dumps([reading]).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert answer.status == 202
    wanted = [("plant-1", True, True, True), ("scada", True, False, None)]
    until(lambda: rows(place, states) == wanted, 60.0, lambda: rows(place, states))
    stop.set()
    thread.join(60)
    assert faults_of(read_status(load_config(file)), now_s=time.time())[0].startswith("it was stopped at ")


def test_what_only_a_new_start_takes_over_is_told(tmp_path: Path) -> None:
    text = file_of(tmp_path, free_ports(1)).read_text(encoding="utf-8")
    gateway = RunningGateway(parse_config(text, tmp_path / "gateway.toml"), connect=None, topics={}, dry=True)
    assert gateway.reload(parse_config(text.replace('"spool"', '"other"'), tmp_path / "gateway.toml")) == ["store"]
    gateway.close()


def test_tls_of_the_test_is_one_that_curl_takes(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    assert ssl.create_default_context(cafile=tls.certificate).cert_store_stats()["x509_ca"] == 1
