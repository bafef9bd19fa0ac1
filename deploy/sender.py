"""The sender as a process, ``python -m deploy.sender``: until SIGTERM or SIGINT, and it finishes what it sends."""

import asyncio
import logging
import signal
import sys

from analytics.domain.errors import MeterwardenError
from deploy.alerting import link_secret
from deploy.channels import channels_text
from deploy.operations.pages import open_page
from deploy.private import keep_private
from deploy.settings import Settings, load
from streams.alerts.channels import read_channels
from streams.alerts.sender import Sender, SenderConfig
from streams.logs import LOG_BYTES, log_to

__all__ = ["config_of", "main"]

log = logging.getLogger("metering.sender")


def config_of(settings: Settings) -> SenderConfig:
    """Configuration of the sender, built from the settings."""
    if settings.database.dsn is None:
        raise MeterwardenError("a sender needs METERWARDEN_DATABASE; `meterwarden up` sets it")
    return SenderConfig(
        dsn=settings.database.dsn,
        channels=read_channels(channels_text(settings), str(settings.alerts.channels)),
        secret=link_secret(settings),
        api_url=settings.alerts.api_url.rstrip("/"),
        zone=settings.zone,
    )


def main() -> int:
    """Run the sender."""
    keep_private()
    of_instance = any(argument.startswith("--instance=") for argument in sys.argv[1:])
    log_to(sys.stderr, limit_bytes=LOG_BYTES if of_instance else 0)
    try:
        settings = load()
        config = config_of(settings)
    except MeterwardenError as error:
        log.error("%s", error)  # noqa: TRY400 - the message is all there is to it
        return 2
    page = open_page(settings, offset=0)
    try:
        asyncio.run(_main(config))
    finally:
        if page is not None:
            page.close()
    return 0


async def _main(config: SenderConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Sender(config).run(stop)


if __name__ == "__main__":
    sys.exit(main())
