"""The sender: takes messages out of the outbox, sends them, and keeps the receipt.

A message is claimed with a lease before it is sent and settled after it: a sender that is killed between leaves it
claimed, and when the lease is over it is sent again with the same key, by which a receiver tells that it came twice.
One sender works at a time, by an advisory lock that goes with its connection; another one waits to take over. Each
channel has a task of its own, so that a dead one holds up no other.
"""

import asyncio
import logging
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import psycopg

from analytics.alerting.delivery import retry_at, room_at
from analytics.alerting.words import LINKS
from analytics.domain.errors import StoreUnavailable
from analytics.domain.words import Phrase
from streams.alerts import outbox
from streams.alerts.channels import Channel, MessageReceipt, deliver
from streams.alerts.links import Deed, Link, sign_link
from streams.alerts.outbox import Message
from streams.alerts.picture import draw, read_hours
from streams.ports import StoreRejected
from streams.store.postgres.connections import Connections

__all__ = ["Sender", "SenderConfig"]

log = logging.getLogger("metering.sender")

LOCK: Final = 0x6D77_000A
"""Of the one sender that works."""
_LINK_LASTS: Final = timedelta(days=14)
_WORDS: Final = {
    Deed.ACKNOWLEDGE: Phrase(zh="受理", en="Acknowledge"),
    Deed.VERDICT: Phrase(zh="填写现场结论", en="Give a verdict"),
    Deed.COMMENT: Phrase(zh="反馈情况", en="Answer"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderConfig:
    """Configuration of the sender.

    Attributes
    ----------
    dsn : str
        The database.
    channels : mapping of str to Channel
    secret : callable
        What links are signed with at this moment, since it can be changed.
    api_url : str
        Where links lead; '' makes none.
    zone : ZoneInfo
        Of times in pictures.
    poll_s : float
        How often the outbox is looked at. [s]
    lease_s : float
        How long a message stays claimed; longer than any channel's timeout. [s]
    """

    dsn: str = field(repr=False)
    channels: Mapping[str, Channel]
    secret: Callable[[], bytes] = field(repr=False)
    api_url: str = ""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    poll_s: float = 1.0
    lease_s: float = 0.0

    @property
    def lease(self) -> timedelta:
        """How long a message stays claimed."""
        longest = max((channel.timeout_s for channel in self.channels.values()), default=0.0)
        return timedelta(seconds=self.lease_s or 30.0 + 2 * longest)


class Sender:
    """See the module's docstring.

    Parameters
    ----------
    config : SenderConfig
    """

    def __init__(self, config: SenderConfig) -> None:
        self._config = config
        self._connections = Connections(config.dsn, size=len(config.channels) + 1, name="meterwarden sender")

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set, through a database that comes and goes."""
        while not stop.is_set():
            try:
                async with self._connections.extra() as holder:
                    await self._reign(holder, stop)
            except (StoreUnavailable, StoreRejected) as error:
                log.warning("the outbox waits: %s", error)
            await _pause(stop, self._config.poll_s)
        await self._connections.close()

    async def _reign(self, holder: psycopg.AsyncConnection, stop: asyncio.Event) -> None:
        cursor = await holder.execute("select pg_try_advisory_lock(%s)", (LOCK,))
        row = await cursor.fetchone()
        if not row or not row[0]:
            return
        log.info("sending by %s", ", ".join(sorted(self._config.channels)) or "no channel")
        tasks = [asyncio.create_task(self._work(channel, stop)) for channel in self._config.channels.values()]
        tasks.append(asyncio.create_task(self._watch(holder, stop)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not stop.is_set():
                for task in tasks:
                    task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _watch(self, holder: psycopg.AsyncConnection, stop: asyncio.Event) -> None:
        """Notice a lock that is lost, and messages that no channel is for."""
        while not stop.is_set():
            count = await outbox.strangers(holder, list(self._config.channels), datetime.now(UTC))
            if count:
                log.warning("%d messages are for channels that the channels' file does not have", count)
            await _pause(stop, 5 * self._config.poll_s)

    async def _work(self, channel: Channel, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                busy = await self._once(channel)
            except (StoreUnavailable, StoreRejected) as error:
                log.warning("channel %s waits: %s", channel.name, error)
                busy = False
            if not busy:
                await _pause(stop, self._config.poll_s)

    async def _once(self, channel: Channel) -> bool:
        """Send one message; False where there is none or the channel is used up."""
        async with self._connections.connection() as connection:
            now = datetime.now(UTC)
            used = await outbox.last_minute(connection, channel.name, now)
            if room_at(used, now, per_minute=channel.per_minute) > now:
                return False
            message = await outbox.claim(connection, channel.name, now, lease=self._config.lease)
            if message is None:
                return False
            picture = await self._picture(connection, channel, message)
        delivery = await self._deliver(channel, message, picture)
        await self._settle(message, delivery)
        return True

    async def _deliver(self, channel: Channel, message: Message, picture: bytes | None) -> MessageReceipt:
        with tempfile.TemporaryDirectory(prefix="meterwarden-") as folder:
            path = Path(folder) / "evidence.png"
            if picture is not None:
                path.write_bytes(picture)
            try:
                return await asyncio.to_thread(
                    deliver,
                    channel,
                    address=message.address,
                    key=str(message.key),
                    severity=message.severity,
                    title=message.title,
                    body=self._body(message),
                    picture=str(path) if picture is not None else None,
                )
            except Exception as error:  # noqa: BLE001 - whatever a channel does, the message is kept
                return MessageReceipt(sent=False, said=f"channel {channel.name} broke: {type(error).__name__}")

    async def _settle(self, message: Message, delivery: MessageReceipt) -> None:
        """Keep what became of it, however long the database takes: a receipt that is lost is a message sent twice."""
        now = datetime.now(UTC)
        while True:
            try:
                async with self._connections.connection() as connection:
                    if delivery.sent:
                        await outbox.sent(connection, message, delivery.said, now)
                        return
                    again = retry_at(now, message.attempts, created_at=message.created_at, key=message.key.bytes)
                    await outbox.failed(connection, message, delivery.said, again)
                    log.warning(
                        "message %d was not taken by %s (attempt %d): %s",
                        message.id,
                        message.channel,
                        message.attempts,
                        delivery.said,
                    )
                    return
            except StoreUnavailable as error:
                log.warning("the receipt of message %d waits: %s", message.id, error)
                await asyncio.sleep(self._config.poll_s)

    async def _picture(self, connection: psycopg.AsyncConnection, channel: Channel, message: Message) -> bytes | None:
        if message.picture is None or not channel.pictures:
            return None
        try:
            hours = await read_hours(connection, message.picture)
            return await asyncio.to_thread(
                draw, message.picture, hours, language=message.language, zone=self._config.zone
            )
        except Exception:
            log.exception("message %d goes without its picture", message.id)
            return None

    def _body(self, message: Message) -> str:
        head, mark, tail = message.body.rpartition(LINKS)
        links = self._links(message)
        return f"{head}{links}{tail}" if links else (head.rstrip("\n") + tail if mark else message.body)

    def _links(self, message: Message) -> str:
        person, standing = message.person_id, message.standing
        if not self._config.api_url or person is None or standing is None:
            return ""
        if len(message.alert_ids) != 1 or message.purpose == "clear":
            return ""
        gentle = message.title.startswith(("【提醒】", "[Notice]"))
        gentle = gentle or message.role == "enterprise"
        deeds = (Deed.COMMENT,) if gentle else (Deed.ACKNOWLEDGE, Deed.VERDICT)
        expires_at = datetime.now(UTC) + _LINK_LASTS
        lines = []
        for deed in deeds:
            link = Link.fresh(person, message.alert_ids[0], deed, expires_at, standing=standing)
            word = _WORDS[deed].of(message.language)
            lines.append(f"{word}: {self._config.api_url}/act/{sign_link(link, self._config.secret())}")
        return "\n".join(lines)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
