"""The web pages as a process: ``python -m deploy.pages``, with a certificate of its own or behind a proxy."""

import logging
import sys

from analytics.domain.errors import MeterwardenError
from deploy.alerting import alert_config
from deploy.kafka_access import access_of
from deploy.operations.pages import open_page
from deploy.operations.telemetry import telemetry_wanted
from deploy.settings import Settings, load
from deploy.web import PagesConfig, create_pages
from deploy.web.openid import OpenId
from ingest.http.server import server_of
from ingest.kafka.config import KafkaConfig
from streams.logs import log_to

__all__ = ["config_of", "main"]

log = logging.getLogger("metering.pages")


def config_of(settings: Settings) -> PagesConfig:
    """Configuration of the pages, built from the settings."""
    if settings.database.dsn is None:
        raise MeterwardenError("the pages need METERWARDEN_DATABASE; `meterwarden up` sets it")
    kafka = None
    if settings.kafka.bootstrap is not None:
        access = access_of(settings.kafka)
        kafka = KafkaConfig(
            bootstrap=access.bootstrap,
            security=access.security,
            partitions=settings.kafka.partitions,
            zone=settings.zone,
        )
    pages, openid = settings.pages, None
    if pages.openid_issuer and pages.openid_client and pages.openid_secret:
        openid = OpenId(
            issuer=pages.openid_issuer,
            client=pages.openid_client,
            secret=pages.openid_secret,
            claim=pages.openid_claim,
        )
    return PagesConfig(
        dsn=settings.database.dsn,
        alerts=alert_config(settings),
        kafka=kafka,
        home=settings.home,
        openid=openid,
        language=settings.language or "zh",
    )


def main() -> int:
    """Run the pages."""
    log_to(sys.stderr)
    telemetry_wanted("pages")
    try:
        settings = load()
        app = create_pages(config_of(settings))
        pages = settings.pages
        host = pages.host.strip("[]")
        server = server_of(
            app,
            host=host,
            port=pages.port,
            certificate=pages.certificate,
            key=pages.key,
            trusted_proxies=settings.trusted_proxies,
        )
    except MeterwardenError as error:
        log.error("%s", error)  # noqa: TRY400 - the message is all there is to it
        return 2
    except (OSError, ValueError) as error:
        log.error("METERWARDEN_PAGES_CERTIFICATE and _KEY must be PEM files of a certificate and its key (%s)", error)  # noqa: TRY400
        return 2
    page = open_page(settings, offset=2)
    try:
        server.run()
    finally:
        if page is not None:
            page.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
