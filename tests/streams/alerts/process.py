"""Raiser and sender that kill themselves where a test says: ``python -m tests.streams.alerts.process JSON``."""

import asyncio
import json
import os
import random
import signal
import sys
from datetime import UTC, datetime
from typing import Any, NoReturn

import psycopg

from streams.alerts import outbox, raiser
from streams.alerts.channels import Channel, read_channels
from streams.alerts.config import AlertConfig
from streams.alerts.sender import Sender, SenderConfig


def die() -> NoReturn:
    """As a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


async def raise_and_die(dsn: str, where: str) -> None:
    """One round that is killed between raise and commit; `where` "none" lets it live."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        write = outbox.write

        async def write_and_die(*arguments: Any) -> None:
            if where == "before":
                die()
            await write(*arguments)
            if where == "after":
                die()

        setattr(outbox, "write", write_and_die)  # noqa: B010 - mypy wants it so
        await raiser.Raiser(AlertConfig()).once(connection, datetime.now(UTC))


async def send_and_die(dsn: str, channels: dict[str, str], share: float) -> None:
    """Send until nothing is left, and be killed between send and receipt with this chance."""
    sent = outbox.sent

    async def sent_or_dead(*arguments: Any) -> bool:
        if random.random() < share:
            die()
        return await sent(*arguments)

    setattr(outbox, "sent", sent_or_dead)  # noqa: B010 - mypy wants it so
    config = SenderConfig(
        dsn=dsn,
        channels={name: Channel(name=name, url=url, per_minute=6000) for name, url in channels.items()},
        secret=lambda: b"s" * 32,
        poll_s=0.05,
        lease_s=0.5,
    )
    stop = asyncio.Event()
    sender = asyncio.create_task(Sender(config).run(stop))
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        while not stop.is_set():
            await asyncio.sleep(0.1)
            cursor = await connection.execute("select 1 from alert_message where state <> 'sent' limit 1")
            if await cursor.fetchone() is None:
                stop.set()
    await sender


def main() -> None:
    """Fork a child for each line of options, and tell how it ended: a fresh interpreter each time takes seconds."""
    read_channels("[x]\nurl = 'json://127.0.0.1'", "x")  # loads what apprise loads once and for all
    for line in sys.stdin:
        options = json.loads(line)
        what = options.pop("what")
        child = os.fork()
        if child == 0:
            asyncio.run(raise_and_die(**options) if what == "raise" else send_and_die(**options))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
