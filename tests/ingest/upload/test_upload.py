"""Against a platform of our own in both variants; no real one was reachable."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from analytics.domain.errors import ConfigurationError, TransientError
from ingest.upload.client import Platform, PlatformRefused, Uploader
from ingest.upload.codes import parse_code
from ingest.upload.figures import Amount, Item, inconsistent_months, plan_of
from ingest.upload.outbox import Datum, Outbox
from ingest.upload.profile import platform_profile, platform_profiles, read_platform_profile
from ingest.upload.sm4 import decrypted, encrypted, key_of
from tests.ingest.devices.vectors import VECTORS

KEY = "0123456789abcdeffedcba9876543210"
CODE = "00-00-0000-023300-10"
UNIT = "91000000000000000X"


class MockPlatform:
    """Answers as public uploaders expect it, and keeps what was accepted."""

    def __init__(self, *, newer: bool, success: str = "0") -> None:
        self.newer, self.success = newer, success
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.data: dict[tuple[str, str, str], str] = {}
        self.fail: list[str] = []
        self.refuses: Callable[[dict[str, str]], str] = lambda _: ""
        self.key = KEY
        self.dictionary_version = "7"
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                platform.asked.append((self.path, body))
                failure = platform.fail.pop(0) if platform.fail else ""
                if failure == "drop":
                    self.connection.close()
                    return
                if failure == "500":
                    self.send_error(500)
                    return
                answer = platform.answer(self.path, body, failure)
                text = json.dumps(answer, ensure_ascii=False).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/nhjc/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, path: str, body: dict[str, Any], failure: str) -> dict[str, Any]:
        good: dict[str, Any] = {"responseCode": self.success, "responseMessage": "RECEIVE SUCCESS"}
        if failure:
            return {"responseCode": "1", "responseMessage": failure}
        if path.endswith("/register"):
            good |= {"deviceId": "D-1", "loadDicVersionURL": "versionCheck", "centerDataURL": "data",
                     "uploadTime": "01:38:00"}  # fmt: skip
            good |= (
                {"downloadBaseDataURL": "base", "centerInfoURL": "info", "secretKey": self.key}
                if self.newer
                else {"loadConfigURL": "info", "centerInfoURL": "info", "centerInfoDownloadURL": "base"}
            )
        elif path.endswith("/versionCheck"):
            good |= {"regVersion": "1", "dicVersion": self.dictionary_version}
        elif path.endswith("/base"):
            good |= {"data": [{"code": "3300", "name": "电力"}] if body["itemIndex"] == 8 else []}
        elif path.endswith("/data"):
            kept: dict[tuple[str, str, str], str] = {}
            for row in body["data"]:
                try:
                    plain = {
                        name: decrypted(value, key_of(self.key)) if self.newer and name != "uploadDate" else str(value)
                        for name, value in row.items()
                    }
                except ValueError:
                    return {"responseCode": "1", "responseMessage": "解密失败"}
                if refusal := self.refuses(plain):
                    return {"responseCode": "1", "responseMessage": refusal}
                kept[plain["dataCode"], plain["statType"], plain["statDate"]] = plain["dataValue"]
            self.data |= kept
        return good

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(params=["sm4", "plain", "yunnan"])
def mock(request: pytest.FixtureRequest) -> Iterator[tuple[MockPlatform, str]]:
    platform = MockPlatform(newer=request.param == "sm4", success="200" if request.param == "yunnan" else "0")
    yield platform, request.param
    platform.close()


def uploader(platform: MockPlatform, profile: str, outbox: Outbox) -> Uploader:
    return Uploader(
        Platform(url=platform.url, region="530100", enterprise_code=UNIT, profile=platform_profiles()[profile]), outbox
    )


def datum(hour: int, value: str = "1.00", *, estimated: bool = False) -> Datum:
    return Datum(CODE, 0, f"2026-11-30 {hour:02d}:00:00", 1, 4, value, estimated)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    found = Outbox(tmp_path / "outbox.sqlite")
    yield found
    found.close()


def test_whole_way_in_every_variant(mock: tuple[MockPlatform, str], outbox: Outbox) -> None:
    platform, profile = mock
    client = uploader(platform, profile, outbox)
    item = Item(code=CODE, name="全厂-电力-购进", points={"P1": Decimal(1)})
    assert client.check_versions()
    assert not client.check_versions()
    assert client.configure([item])
    assert not client.configure([item])
    outbox.put([datum(0, "1.25"), datum(1, "2.50")])
    assert client.upload().accepted == 2
    code = CODE.replace("-", "") if profile == "yunnan" else CODE
    assert platform.data == {(code, "0", "2026-11-30 00:00:00"): "1.25", (code, "0", "2026-11-30 01:00:00"): "2.50"}
    assert outbox.counts() == {"sent": 2}
    assert client.upload().accepted == 0
    paths = [path.rpartition("/")[2] for path, _ in platform.asked]
    assert paths.count("register") == 1
    assert paths.count("base") == len(platform_profiles()[profile].dictionaries)
    config = next(body for path, body in platform.asked if path.endswith("info"))
    assert [one["statType"] for one in config["collectItemConfig"]] == [0, 1, 2]
    assert config["collectItemConfig"][0]["energyTypeCode"] == "3300"
    platform.dictionary_version = "8"
    assert client.check_versions()


def test_what_is_encrypted_and_what_is_not(outbox: Outbox) -> None:
    platform = MockPlatform(newer=True)
    outbox.put([datum(0, "123.45")])
    uploader(platform, "sm4", outbox).upload()
    body = platform.asked[-1][1]
    platform.close()
    assert body["deviceId"] == "D-1"
    assert body["enterpriseCode"] == UNIT
    row = body["data"][0]
    assert row["dataValue"] == "8903e2e3f6b843f58fa45deaf1b6a32a"
    assert row["uploadDate"].startswith("20")
    assert decrypted(row["valid"], key_of(KEY)) == "true"


@pytest.mark.parametrize("vector", [v for v in VECTORS["upload_sm4_ecb"] if "plain" in v], ids=lambda v: v["plain"])
def test_encryption_is_that_of_the_vectors(vector: dict[str, str]) -> None:
    assert encrypted(vector["plain"], key_of(vector["key"])) == vector["cipher"]
    assert decrypted(vector["cipher"], key_of(vector["key"])) == vector["plain"]


def test_block_of_the_standard() -> None:
    vector = VECTORS["upload_sm4_ecb"][0]
    from ingest.upload.sm4 import _block  # noqa: PLC0415 - the block below the padding

    found = _block(bytes.fromhex(vector["plain_hex"]), key_of(vector["key"]), encrypt=True)
    assert found.hex() == vector["cipher_no_padding"]


def test_key_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigurationError, match="32 hexadecimal digits") as caught:
        key_of("secret")
    assert "secret" not in str(caught.value).replace("secretKey", "")


def test_failures_of_every_kind_leave_data_waiting_and_the_next_upload_sends_them(outbox: Outbox) -> None:
    platform = MockPlatform(newer=True)
    client = uploader(platform, "sm4", outbox)
    client.register()
    outbox.put([datum(hour) for hour in range(3)])
    for failure in ("drop", "500"):
        platform.fail = [failure]
        with pytest.raises(TransientError):
            client.upload()
        assert outbox.counts() == {"waiting": 3}
    platform.refuses = lambda _: "解密失败"
    refused = client.upload()
    assert (refused.accepted, refused.refused) == (0, 3)
    assert outbox.counts() == {"refused": 3}
    platform.refuses = lambda _: ""
    assert outbox.list("refused")[0].answer == "responseCode 1: 解密失败"
    assert outbox.list("refused")[0].attempts == 3
    assert client.upload().accepted == 3
    assert outbox.counts() == {"sent": 3}
    platform.close()


def test_one_refused_batch_does_not_hold_up_the_others(outbox: Outbox) -> None:
    platform = MockPlatform(newer=False)
    profile = read_platform_profile('id = "small"\nbatch = 2\n', "small.toml")
    client = Uploader(Platform(url=platform.url, region="1", enterprise_code=UNIT, profile=profile), outbox)
    client.register()
    outbox.put([datum(hour) for hour in range(5)])
    platform.refuses = lambda row: "no" if row["statDate"] < "2026-11-30 02" else ""
    done = client.upload()
    assert (done.accepted, done.refused) == (3, 2)
    platform.close()


@pytest.mark.parametrize("bad", [{0}, {7}, {99}, {3, 50, 98}, set(range(40, 60))])
def test_one_datum_that_is_refused_does_not_hold_up_its_batch(outbox: Outbox, bad: set[int]) -> None:
    platform = MockPlatform(newer=False)
    client = uploader(platform, "plain", outbox)
    client.register()
    outbox.put(
        [datum(0, f"{i}.00")._replace(start=f"2026-11-{1 + i // 24:02d} {i % 24:02d}:00:00") for i in range(100)]
    )
    platform.refuses = lambda row: "值超限" if float(row["dataValue"]) in bad else ""
    done = client.upload()
    assert (done.accepted, done.refused) == (100 - len(bad), len(bad))
    assert {float(one.datum.value) for one in outbox.list("refused")} == bad
    assert outbox.list("refused")[0].answer == "responseCode 1: 值超限"
    assert len(platform.data) == 100 - len(bad)
    platform.close()


def test_a_platform_that_refuses_us_is_not_asked_for_each_datum(outbox: Outbox) -> None:
    platform = MockPlatform(newer=False)
    client = uploader(platform, "plain", outbox)
    client.register()
    outbox.put([datum(0)._replace(start=f"2026-{m:02d}-{d:02d} 00:00:00") for m in range(1, 13) for d in range(1, 28)])
    platform.refuses = lambda _: "序列号与企业统一社会信用代码不符"
    before = len(platform.asked)
    assert client.upload().refused == 12 * 27
    assert len(platform.asked) - before <= 6
    platform.close()


def test_a_key_that_the_platform_changed_is_asked_for_again(outbox: Outbox) -> None:
    platform = MockPlatform(newer=True)
    client = uploader(platform, "sm4", outbox)
    outbox.put([datum(0)])
    client.upload()
    platform.key = "fedcba98765432100123456789abcdef"
    outbox.put([datum(1)])
    done = client.upload()
    assert (done.accepted, done.refused) == (1, 0)
    assert outbox.counts() == {"sent": 2}
    platform.close()


def test_what_was_corrected_afterwards_is_reported_or_sent_again(outbox: Outbox) -> None:
    platform = MockPlatform(newer=False)
    client = uploader(platform, "plain", outbox)
    outbox.put([datum(0, "1.00"), datum(1, "2.00")])
    client.upload()
    outbox.put([datum(0, "1.50"), datum(1, "2.00")])
    assert outbox.counts() == {"corrected": 1, "sent": 1}
    assert client.upload().accepted == 0
    (kept,) = outbox.list("corrected")
    assert (kept.datum.value, kept.sent_value) == ("1.50", "1.00")
    again = read_platform_profile('id = "again"\ncorrection = "resend"\n', "again.toml")
    Uploader(Platform(url=platform.url, region="1", enterprise_code=UNIT, profile=again), outbox).upload()
    assert outbox.counts() == {"sent": 2}
    assert platform.data[CODE, "0", "2026-11-30 00:00:00"] == "1.50"
    outbox.put([datum(0, "1.00")])
    outbox.put([datum(0, "1.50")])  # back to what was sent
    assert outbox.counts() == {"sent": 2}
    platform.close()


def test_outbox_is_for_its_owner_alone_and_survives(tmp_path: Path) -> None:
    path = tmp_path / "new" / "outbox.sqlite"
    first = Outbox(path)
    first.put([datum(0)])
    first.remember("x", "y")
    first.close()
    assert path.stat().st_mode & 0o077 == 0
    second = Outbox(path)
    assert second.waiting(corrected=False) == [datum(0)]
    assert second.remembered("x") == "y"
    assert second.remembered("z") is None
    second.close()


def hours(start: datetime, count: int, amount: str = "1.5", *, without: set[int] | None = None) -> list[Amount]:
    return [
        Amount(point="P1", start=start + timedelta(hours=i), amount=Decimal(amount), completeness=1.0, estimated=i == 3)
        for i in range(count)
        if i not in (without or set())
    ]


def test_a_gap_is_never_sent_as_anything_and_takes_its_day_and_month_with_it() -> None:
    start = datetime(2026, 11, 1)  # noqa: DTZ001 - local time of the platform
    item = Item(code=CODE, name="x", points={"P1": Decimal(1)})
    plan = plan_of([item], hours(start, 48, without={30}), since=start, until=start + timedelta(days=2))
    by_type = {figure.stat_type: figure for figure in plan.figures}
    assert (by_type[0].periods, by_type[0].complete) == (48, 47)
    assert by_type[0].missing == [start + timedelta(hours=30)]
    assert (by_type[1].periods, by_type[1].complete) == (2, 1)
    assert by_type[2].periods == 0
    assert not any(Decimal(one.value) == 0 for one in plan.data)
    day = next(one for one in plan.data if one.stat_type == 1)
    assert (day.value, day.start, day.estimated) == ("36.00", "2026-11-01 00:00:00", True)
    assert by_type[0].completeness == pytest.approx(47 / 48)


def test_points_are_added_and_subtracted_and_all_must_be_known() -> None:
    start = datetime(2026, 11, 1)  # noqa: DTZ001
    item = Item(code=CODE, name="x", points={"P1": Decimal(1), "P2": Decimal("-0.5")}, decimals=1)
    other = [Amount(point="P2", start=start, amount=Decimal(1), completeness=1.0)]
    plan = plan_of([item], hours(start, 2) + other, since=start, until=start + timedelta(hours=2), stat_types=(0,))
    assert [(one.value, one.start[11:13]) for one in plan.data] == [("1.0", "00")]
    half = [Amount(point="P2", start=start, amount=Decimal(1), completeness=0.5)]
    assert not plan_of([item], hours(start, 1) + half, since=start, until=start + timedelta(hours=1)).data


def test_months_are_sums_of_their_days_and_others_are_told() -> None:
    start = datetime(2026, 11, 1)  # noqa: DTZ001
    item = Item(code=CODE, name="x", points={"P1": Decimal(1)})
    plan = plan_of([item], hours(start, 30 * 24, "1"), since=start, until=datetime(2026, 12, 1))  # noqa: DTZ001
    month = next(one for one in plan.data if one.stat_type == 2)
    assert month.value == "720.00"
    days = {date(2026, 11, 1 + i): Decimal(24) for i in range(30)}
    assert inconsistent_months(days, {date(2026, 11, 1): Decimal(720)}) == []
    ((month_of, share),) = inconsistent_months(days, {date(2026, 11, 1): Decimal(800)})
    assert (month_of, share) == (date(2026, 11, 1), Decimal("0.1"))


def test_days_that_do_not_add_up_to_their_month_are_found_as_the_platform_has_them(outbox: Outbox) -> None:
    platform = MockPlatform(newer=False)
    client = uploader(platform, "plain", outbox)
    days = [Datum(CODE, 1, f"2026-11-{1 + i:02d} 00:00:00", 1, 4, "24.00", False) for i in range(30)]
    outbox.put(days[:29])
    assert outbox.first() == datetime(2026, 11, 1)  # noqa: DTZ001
    client.upload()
    month = [Datum(CODE, 2, "2026-11-01 00:00:00", 1, 4, "1440.00", False)]
    outbox.put([*(one._replace(value="48.00") for one in days), *month])
    assert outbox.counts() == {"corrected": 29, "waiting": 2}
    ((of, share),) = inconsistent_months(outbox.values(CODE, 1), outbox.values(CODE, 2))
    assert (of, round(share, 2)) == (date(2026, 11, 1), Decimal("0.48"))
    assert inconsistent_months({date(2026, 11, 1): Decimal(1)}, outbox.values(CODE, 2)) == [], (
        "its days are not all there"
    )
    platform.close()


def test_codes_are_taken_apart_and_bad_ones_refused() -> None:
    code = parse_code("02-02-0000-040100-30")
    assert (code.process, code.unit, code.energy_class, code.variety, code.use, code.scope) == (
        "02",
        "02",
        "04",
        "0100",
        "30",
        3,
    )
    assert parse_code("0000000002330010").text() == CODE
    assert parse_code(CODE).scope == 1
    for text in ("", "00-00-0000-023300", "00-00-0000-023300-1x", "00-00-0001-023300-10"):
        with pytest.raises(ConfigurationError, match="a data code"):
            parse_code(text)


def test_profiles_and_addresses_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="colour is no setting"):
        read_platform_profile('id = "x"\ncolour = 1\nencrypt = ["deviceId"]\nbatch = 0\n', "x.toml")
    with pytest.raises(ConfigurationError, match="profile must be one of plain, sm4, yunnan"):
        platform_profile("none", tmp_path)
    (tmp_path / "own.toml").write_text('id = "own"\nsuccess = ["OK"]\n', encoding="utf-8")
    assert platform_profile("own", tmp_path).success == ["OK"]
    with pytest.raises(ConfigurationError, match="https"):
        Platform(url="http://platform.example", region="1", enterprise_code=UNIT, profile=platform_profiles()["sm4"])


def test_registration_without_what_is_needed_is_refused(outbox: Outbox) -> None:
    platform = MockPlatform(newer=False)
    with pytest.raises(ConfigurationError, match="secretKey"):
        uploader(platform, "sm4", outbox).register()
    platform.fail = ["序列号与企业统一社会信用代码不符"]
    with pytest.raises(PlatformRefused, match="不符"):
        uploader(platform, "plain", outbox).register()
    platform.close()
