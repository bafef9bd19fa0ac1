import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from matplotlib.image import imread

from deploy.stack.ports import free_ports
from streams.alerts.channels import Channel, cleaned, deliver, read_channels
from streams.alerts.links import Deed, Link, LinkRefused, open_link, sign_link
from streams.alerts.picture import Hour, draw, usual
from streams.alerts.sender import Sender, SenderConfig
from streams.logs import log_to
from tests.streams.alerts.place import NOW, body_of, detect, hook_server, mail_server, nursery, raised, rows, settled

SECRET = b"s" * 32
ZONE = ZoneInfo("Asia/Shanghai")


def mail_url(port: int) -> str:
    return f"mailto://127.0.0.1:{port}?from=meters@example.org&to={{address}}&mode=insecure&format=text"


def put(dsn: str, count: int, channel: str = "hook", **facts: object) -> list[str]:
    """Messages in the outbox, waiting; their keys."""
    keys = [str(uuid4()) for _ in range(count)]
    for key in keys:
        rows(
            dsn,
            "insert into alert_message (key, recipient, channel, purpose, severity, language, title, body, created_at) "
            "values (%s, 'r', %s, 'raise', 'serious', 'zh', '标题', %s, %s)",
            key,
            channel,
            f"正文\n编号:{key[:8]}",
            facts.get("created_at", datetime.now(UTC)),
        )
    return keys


def send(config: SenderConfig, until: Callable[[], bool], timeout_s: float = 120.0) -> None:
    """Run a sender until something is so."""

    async def run() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(Sender(config).run(stop))
        deadline = time.monotonic() + timeout_s
        try:
            while not await asyncio.to_thread(until):
                assert time.monotonic() < deadline, rows(config.dsn, "select channel, state, error from alert_message")
                await asyncio.sleep(0.1)
        finally:
            stop.set()
            await task

    asyncio.run(run())


def config_of(dsn: str, **channels: str | Channel) -> SenderConfig:
    made = {
        name: url if isinstance(url, Channel) else Channel(name=name, url=url, per_minute=600)
        for name, url in channels.items()
    }
    return SenderConfig(
        dsn=dsn, channels=made, secret=lambda: SECRET, api_url="http://127.0.0.1:1", poll_s=0.05, lease_s=0.5, zone=ZONE
    )


@pytest.mark.integration
def test_what_arrives_by_mail_and_by_hook_is_what_was_raised(module_database: str) -> None:
    dsn = settled(module_database)
    mail_port, hook_port = free_ports(2)
    rows(
        dsn,
        "insert into consumption_hour (start, amount, point_id, unit_id, completeness, measured, quality) values "
        "(%s, 5, 1, 1, 1, 1, 0)",
        NOW.replace(minute=0, second=0) - timedelta(hours=9),
    )
    detect(dsn)
    raised(dsn, NOW - timedelta(hours=1))
    raised(dsn)
    with mail_server(mail_port) as mails, hook_server(hook_port) as hooks:
        config = config_of(dsn, mail=mail_url(mail_port), hook=f"json://127.0.0.1:{hook_port}/in")
        send(config, lambda: rows(dsn, "select count(*) from alert_message where state = 'sent'") == [(2,)])
    keys = dict(rows(dsn, "select channel, key::text from alert_message"))
    assert (mails.keys, hooks.keys) == ([keys["mail"]], [keys["hook"]])
    [mail] = mails.mails
    assert mail["To"] == "li@example.org"
    assert "【严重】First P1 M1 停走" in mails.texts[0]
    body = body_of(mail)
    assert keys["mail"].replace("-", "")[:10].upper() in body
    assert "受理: http://127.0.0.1:1/act/" in body
    link = open_link(body.split("受理: http://127.0.0.1:1/act/")[1].split()[0], SECRET, datetime.now(UTC))
    assert link.deed is Deed.ACKNOWLEDGE
    pictures = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert pictures[0].get_payload(decode=True)[:8] == b"\x89PNG\r\n\x1a\n"  # type: ignore[index]  # decode gives bytes
    assert "无人受理" in rows(dsn, "select title from alert_message where channel = 'hook'")[0][0]
    assert rows(dsn, "select receipt is not null, attempts from alert_message") == [(True, 1), (True, 1)]
    stored = str(rows(dsn, "select * from alert_message"))
    assert "/act/" not in stored, "no link that can be used is stored"


@pytest.mark.integration
def test_killed_between_send_and_receipt_twenty_times_and_nothing_is_lost(module_database: str) -> None:
    dsn = settled(module_database)
    [port] = free_ports(1)
    keys = put(dsn, 30)
    with hook_server(port) as hooks, nursery() as run:
        options = {"what": "send", "dsn": dsn, "channels": {"hook": f"json://127.0.0.1:{port}/in"}}
        ends = [run(options | {"share": share}) for share in [*[1.0] * 20, 0.0]]
    assert ends == [-9] * 20 + [0]
    assert set(hooks.keys) == set(keys), "nothing lost, and nothing that the receiver does not know by its key"
    assert len(hooks.keys) == 30 + 20, "each kill sent one message again, and nothing else did"
    assert rows(dsn, "select state, count(*) from alert_message group by 1") == [("sent", 30)]


@pytest.mark.integration
def test_a_clock_that_was_set_back_keeps_no_message_and_no_channel_waiting(module_database: str) -> None:
    dsn = settled(module_database)
    [port] = free_ports(1)
    ahead = datetime.now(UTC) + timedelta(days=1)
    used, waiting, leased = put(dsn, 5, created_at=ahead), put(dsn, 2, created_at=ahead), put(dsn, 1, created_at=ahead)
    rows(dsn, "update alert_message set next_at = created_at")
    rows(dsn, "update alert_message set state = 'sent', sent_at = %s where key = any(%s::uuid[])", ahead, used)
    being_sent = (
        "update alert_message set state = 'sending', attempts = 1, leased_until = %s where key = any(%s::uuid[])"
    )
    rows(dsn, being_sent, ahead, leased)
    with hook_server(port) as hooks:
        channel = Channel(name="hook", url=f"json://127.0.0.1:{port}/in", per_minute=5)
        send(
            config_of(dsn, hook=channel),
            lambda: rows(dsn, "select count(*) from alert_message where state = 'sent'") == [(8,)],
        )
    assert sorted(hooks.keys) == sorted([*waiting, *leased])


@pytest.mark.integration
def test_a_dead_channel_keeps_the_message_says_why_and_holds_up_no_other(module_database: str) -> None:
    dsn = settled(module_database)
    dead, live = free_ports(2)
    put(dsn, 1, "dead")
    put(dsn, 1, "live")
    put(dsn, 1, "unknown")
    put(dsn, 1, "dead", created_at=datetime.now(UTC) - timedelta(days=4))
    log = StringIO()
    log_to(log)  # conftest puts back what logs were
    with hook_server(live) as hooks:
        config = config_of(
            dsn,
            dead=f"json://watcher:hunter2secret@127.0.0.1:{dead}/hidden-path-0815?token=abcdef123456",
            live=f"json://127.0.0.1:{live}/in",
        )
        send(
            config,
            lambda: rows(dsn, "select count(*) from alert_message where error is not null or state = 'sent'") == [(4,)],
        )
        assert len(hooks.keys) == 1
    found = rows(dsn, "select channel, state, error, next_at > now() from alert_message order by id")
    assert [(row[0], row[1]) for row in found] == [
        ("dead", "waiting"),
        ("live", "sent"),
        ("unknown", "waiting"),
        ("dead", "failed"),
    ]
    assert found[0][3]
    assert "must be in the channels' file" in found[2][2]
    for secret in ("hunter2secret", "hidden-path-0815", "abcdef123456"):
        assert secret not in str(found)
        assert secret not in log.getvalue()
    assert "was not taken by dead (attempt 1)" in log.getvalue()
    [state] = rows(
        dsn, "select messages, last_error is not null from outbox_state where channel = 'dead' and state = 'failed'"
    )
    assert state == (1, True)


@pytest.mark.integration
def test_a_channel_is_used_no_faster_than_it_allows(module_database: str) -> None:
    dsn = settled(module_database)
    [port] = free_ports(1)
    put(dsn, 12)
    with hook_server(port) as hooks:
        slow = Channel(name="hook", url=f"json://127.0.0.1:{port}/in", per_minute=5)
        send(config_of(dsn, hook=slow), lambda: len(hooks.keys) >= 5)
        began = time.monotonic()
        send(config_of(dsn, hook=slow), lambda: time.monotonic() > began + 1.5)
        assert len(hooks.keys) == 5
    assert rows(dsn, "select count(*) from alert_message where state = 'waiting'") == [(7,)]


@pytest.mark.integration
def test_a_refusal_is_tried_again_and_then_arrives_once(module_database: str) -> None:
    dsn = settled(module_database)
    [port] = free_ports(1)
    [key] = put(dsn, 1)
    with hook_server(port) as hooks:
        hooks.status = 503
        config = config_of(dsn, hook=f"json://127.0.0.1:{port}/in")
        send(config, lambda: rows(dsn, "select error is not null from alert_message") == [(True,)])
        hooks.status = 200
        rows(dsn, "update alert_message set next_at = now()")
        send(config, lambda: rows(dsn, "select state from alert_message") == [("sent",)])
    assert hooks.keys == [key]
    assert rows(dsn, "select attempts, error from alert_message") == [(2, None)]


def test_a_link_that_was_altered_or_is_old_opens_nothing() -> None:
    link = Link.fresh(7, 12, Deed.VERDICT, NOW + timedelta(days=1), standing=1)
    text = sign_link(link, SECRET)
    assert open_link(text, SECRET, NOW) == link
    for bad in (text[:-2] + "AA", "A" + text[1:], text[:20], "", "äö", text + "="):
        if bad.rstrip("=") != text:
            with pytest.raises(LinkRefused, match="unaltered"):
                open_link(bad, SECRET, NOW)
    with pytest.raises(LinkRefused, match="in its time"):
        open_link(text, SECRET, NOW + timedelta(days=2))
    with pytest.raises(LinkRefused, match="unaltered"):
        open_link(text, b"t" * 32, NOW)


@pytest.mark.parametrize(
    ("url", "said", "left"),
    [
        ("wecombot://11111111-2222", "no answer from /send?key=11111111-2222", "no answer from /send?key=***"),
        ("feishu://token-abc123", "HTTP 400 for token-abc123", "HTTP 400 for ***"),
        (
            "mailtos://me:p%40ssword@mail.example.org",
            "bad login p@ssword at mail.example.org",
            "bad login *** at mail.example.org",
        ),
    ],
)
def test_no_part_of_a_channels_url_is_told(url: str, said: str, left: str) -> None:
    assert cleaned(said, url) == left


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[a]\nurl = 'hunter2'", "a.url must be an apprise URL"),
        ("[a]\nurl = 'nonsense://hunter2'", "a.url must be one that apprise knows"),
        ("[a]\nurl = 'json://h/hunter2'\nper_minute = 0", "a.per_minute must be a whole number"),
        ("[a]\nurl = 'json://h/hunter2'\nfast = 1", "a.fast must be one of url, per_minute"),
        ("a = 'hunter2'", "a must be a table"),
        ("[a]\nurl = 'hunter2", "must be TOML"),
    ],
)
def test_a_bad_channels_file_is_told_without_its_secrets(text: str, fault: str) -> None:
    with pytest.raises(Exception, match=fault) as caught:
        read_channels(text, "channels.toml")
    assert "hunter2" not in str(caught.value)


def test_the_big_chat_systems_are_channels() -> None:
    text = """
    [wecom]
    url = "wecombot://abcdefgh-1234-1234-1234-abcdefghijkl"
    [dingtalk]
    url = "dingtalk://SECabcdefgh@abcdefghijklmnop"
    [feishu]
    url = "feishu://abcdefgh-1234-1234-1234-abcdefghijkl"
    """
    assert set(read_channels(text, "t")) == {"wecom", "dingtalk", "feishu"}


def test_a_mail_has_html_beside_its_text() -> None:
    [port] = free_ports(1)
    body = "单位：甲厂\n证据：5 < 7 & 8\n受理: http://127.0.0.1:1/act/abc-1\n- 第一条\n编号：ABC"
    url = f"mailto://127.0.0.1:{port}?from=meters@example.org&to={{address}}&mode=insecure"
    with mail_server(port) as mails:
        for each in (url, f"{url}&format=text"):
            receipt = deliver(
                Channel(name="mail", url=each), address="li@example.org", key="k", severity="serious", title="标题",
                body=body, picture=None,
            )  # fmt: skip
            assert receipt.sent, receipt.said
    first, second = ({part.get_content_type(): part for part in mail.walk()} for mail in mails.mails)
    html, text = (first[kind].get_payload(decode=True).decode() for kind in ("text/html", "text/plain"))  # type: ignore[union-attr]  # decode gives bytes
    assert '<a href="http://127.0.0.1:1/act/abc-1">http://127.0.0.1:1/act/abc-1</a>' in html
    assert "<b>证据：</b>5 &lt; 7 &amp; 8" in html
    assert "src=" not in html, "nothing is fetched when it is opened"
    for line in body.splitlines():
        assert line.removeprefix("- ") in text, (line, text)
    assert set(second) == {"text/plain"}, "as its channel asks"


def test_a_picture_has_the_line_of_what_is_usual() -> None:
    begin, fault = NOW - timedelta(days=3), NOW - timedelta(hours=9)
    spec = {
        "point": "P1",
        "meter_no": "M-1",
        "kind": "stuck",
        "from": begin.isoformat(),
        "fault_from": fault.isoformat(),
        "fault_to": NOW.isoformat(),
        "to": NOW.isoformat(),
    }
    start = NOW - timedelta(days=10)
    hours = [Hour(start + timedelta(hours=n), 7.0, "kWh") for n in range(231)]
    assert hours[-1].start + timedelta(hours=1) == fault
    assert usual(hours, fault, ZONE) == dict.fromkeys(range(24), 7.0)
    assert usual(hours[-48:], fault, ZONE) == {}, "two days are too few"
    late = [Hour(fault - timedelta(minutes=30), 1000.0, "kWh"), Hour(fault, 1000.0, "kWh")]
    assert usual(hours + late, fault, ZONE) == usual(hours, fault, ZONE), "nothing of the fault is in it"
    pictures = [draw(spec, given, language="en", zone=ZONE) for given in (hours, hours[-48:])]
    drawn, plain = (int((imread(BytesIO(png))[..., :3] < 0.3).all(axis=-1).sum()) for png in pictures)
    assert drawn > plain + 200, "a dark dashed line, and its name"


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("hours", [0, 80])
def test_a_picture_is_drawn_whatever_fonts_there_are(hours: int, language: str) -> None:
    spec = {
        "point": "一号进线",
        "meter_no": "M-1",
        "kind": "stuck",
        "from": (NOW - timedelta(days=3)).isoformat(),
        "fault_from": (NOW - timedelta(hours=9)).isoformat(),
        "fault_to": NOW.isoformat(),
        "to": NOW.isoformat(),
    }
    rows = [Hour(NOW - timedelta(hours=80 - i), 3.0 + i % 5, "kWh") for i in range(hours)]
    png = draw(spec, rows, language=language, zone=ZONE)  # a glyph that is missing would be a warning, thus an error
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert 2_000 < len(png) < 100_000
