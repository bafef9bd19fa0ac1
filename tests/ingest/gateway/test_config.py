from pathlib import Path

import pytest
from openpyxl import Workbook

from analytics.domain.errors import ConfigurationError
from ingest.gateway.config import load_config, parse_config

SOUND = """
[gateway]
id = "plant-1"
unit_code = "U1"
interval = "5m"
[store]
path = "spool"
keep = "180d"
max = "20GiB"
[kafka]
bootstrap = "kafka:9092"
[http]
port = 8443
[[http.sender]]
name = "scada"
units = ["U1"]
token_sha256 = ["%s"]
[[mqtt]]
host = "broker"
[[mqtt.topic]]
topic = "meters/{meter_no}/state"
measured_at = "$.ts"
time = "s"
[[mqtt.topic.value]]
path = "$.kwh"
unit = "kWh"
[[link]]
name = "bus-a"
kind = "serial"
port = "/dev/ttyUSB0"
[[link]]
name = "box-7"
host = "10.0.0.7"
port = 502
timeout = "1s"
[[device]]
link = "bus-a"
protocol = "dlt645-2007"
address = "201709320072"
meter_no = "M1"
[[device]]
link = "box-7"
protocol = "modbus-rtu"
address = 3
profile = "acrel-dtsd1352-adl400"
meter_no = "M2"
points = ["energy_forward", "power"]
interval = "15s"
registers = { power = "power_primary" }
""" % ("0" * 64)


def test_sound_file_is_read(tmp_path: Path) -> None:
    config = parse_config(SOUND, tmp_path / "gateway.toml")
    assert (config.id, config.unit_code, config.interval_s) == ("plant-1", "U1", 300)
    assert (config.store.path, config.store.keep_s) == (tmp_path / "spool", 180 * 86_400)
    first, second = config.devices
    assert (first.address, first.interval_s, first.unit_code) == ("201709320072", 300, "U1")
    assert (second.address, second.interval_s, second.registers) == ("3", 15, {"power": "power_primary"})
    assert config.links[0].parity == "E"
    assert config.links[1].timeout_s == 1.0
    assert config.mqtt[0].units == {"U1"}
    assert config.mqtt[0].subscriptions[0].template.subscription == "meters/+/state"
    assert config.http is not None
    assert config.http.senders["scada"][0] == ("U1",)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('id = "plant-1"', "", "gateway.toml:2: [gateway] id must be a text (got nothing)"),
        ('interval = "5m"', "interval = 5", "interval must be a time such as"),
        ('max = "20GiB"', 'max = "20"', "max must be a size such as"),
        ('max = "20GiB"', 'max = "20GiB"\nmix = 1', "mix is no setting here; known are"),
        ("[store]", "[shop]", "[shop] is no table here"),
        ('link = "bus-a"', 'link = "bus-b"', "link must be one of bus-a, box-7 (got 'bus-b')"),
        ('address = "201709320072"', 'address = "20170932007"', "gateway.toml:36: [device] address must be 12 digits"),
        ('protocol = "dlt645-2007"', 'protocol = "dlms"', "protocol must be one of dlt645-2007"),
        ('profile = "acrel-dtsd1352-adl400"', 'profile = "acme"', "profile must be one of abb-b23"),
        ('points = ["energy_forward", "power"]', 'points = ["speed"]', "points must be of energy_combined"),
        ('meter_no = "M2"', 'meter_no = "M1"', "meter_no M1 is that of gateway.toml:36: [device] already"),
        ('host = "10.0.0.7"', "", "[link] host must be a text"),
        ('host = "10.0.0.7"', 'host = ""', "[link] host must not be empty (got '')"),
        ("port = 502", "port = 70000", "port must be a whole number from 1 to 65535 (got 70000)"),
        ('path = "$.kwh"', 'path = "$kwh"', "path: a path must be like"),
        ('topic = "meters/{meter_no}/state"', 'topic = "meters/{metre}"', "topic: a topic must be levels"),
        ('token_sha256 = ["', 'token_sha256 = ["x', "64 hexadecimal digits"),
        ('host = "broker"', 'host = "broker"\npassword_file = "none"', "password_file must be a file that is there"),
        ("port = 8443", 'port = 8443\nhost = "0.0.0.0"', "certificate must be a file where others can reach it"),
        ("[[link]]", "[link]", "TOML is required"),
    ],
)  # fmt: skip
def test_fault_is_told_with_its_line_what_is_required_and_what_came(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert old in SOUND
    with pytest.raises(ConfigurationError) as caught:
        parse_config(SOUND.replace(old, new, 1), tmp_path / "gateway.toml")
    assert told in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = SOUND.replace('"5m"', '"5"').replace('"plant-1"', "7").replace('"bus-a"\nkind', '"bus-c"\nkind')
    with pytest.raises(ConfigurationError, match="3 faults"):
        parse_config(text, tmp_path / "gateway.toml")


def test_devices_come_from_lists_in_chinese_or_english(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(
        "链路,协议,通信地址,表型,管理编号,采集项,采集周期\n"
        "bus-a,dlt645-2007,000000000001,,M11,energy_forward、power,15m\n"
        ",,,,,,\n"
        "box-7,modbus-rtu,9,abb-b23,M12,,\n".encode("gb18030")
    )
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["link", "protocol", "address", "profile", "meter_no"])
    sheet.append(["bus-a", "cjt188", "78330011223344", "heat", "M21"])
    sheet.append(["box-7", "modbus-rtu", 10, "abb-b23", "M22"])
    book.save(tmp_path / "b.xlsx")
    text = SOUND + '[devices]\nfiles = ["a.csv", "b.xlsx"]\n'
    config = parse_config(text, tmp_path / "gateway.toml")
    assert [device.meter_no for device in config.devices] == ["M1", "M2", "M11", "M12", "M21", "M22"]
    assert config.devices[2].points == ("energy_forward", "power")
    assert config.devices[2].interval_s == 900
    assert config.devices[5].address == "10"
    (tmp_path / "a.csv").write_text("link,protocol\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"a\.csv: columns address \(地址\), meter_no"):
        parse_config(text, tmp_path / "gateway.toml")
    (tmp_path / "a.csv").write_text("协议,地址,管理编号\nmodbus-rtu,1,M9\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"a\.csv: row 2 link must be one of"):
        parse_config(text, tmp_path / "gateway.toml")


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can be read"):
        load_config(tmp_path / "none.toml")


def test_one_address_is_one_meter_however_it_is_written(tmp_path: Path) -> None:
    text = '[gateway]\nid = "g"\nunit_code = "U1"\n[[link]]\nname = "bus"\nhost = "h"\nport = 1\n'
    for meter, address in (("M1", "3"), ("M2", "03")):
        text += (
            f'[[device]]\nprotocol = "modbus-rtu"\naddress = "{address}"\nprofile = "abb-b23"\nmeter_no = "{meter}"\n'
        )
    with pytest.raises(ConfigurationError, match=r"gateway.toml:13: \[device\] address 3 is that of gateway.toml:8"):
        parse_config(text, tmp_path / "gateway.toml")
