"""The HTTP API as a process: ``python -m deploy.serve``, on 127.0.0.1; a proxy in front of it brings TLS."""

import logging
import sys

from analytics.domain.errors import MeterwardenError
from deploy.alerting import alert_config, link_secret
from deploy.api import ApiConfig, create_api
from deploy.operations.pages import open_page
from deploy.operations.telemetry import telemetry_wanted
from deploy.private import keep_private
from deploy.settings import Settings, load
from ingest.http import serve
from streams.logs import LOG_BYTES, log_to

__all__ = ["config_of", "main"]

log = logging.getLogger("metering.api")


def config_of(settings: Settings) -> ApiConfig:
    """Configuration of the API, built from the settings."""
    if settings.database.dsn is None:
        raise MeterwardenError("the API needs METERWARDEN_DATABASE; `meterwarden up` sets it")
    return ApiConfig(
        dsn=settings.database.dsn,
        secret=link_secret(settings),
        alerts=alert_config(settings),
        audit_days=settings.alerts.audit_days,
    )


def main() -> int:
    """Run the API."""
    keep_private()
    of_instance = any(argument.startswith("--instance=") for argument in sys.argv[1:])
    log_to(sys.stderr, limit_bytes=LOG_BYTES if of_instance else 0)
    telemetry_wanted("api")
    try:
        settings = load()
        app = create_api(config_of(settings))
    except MeterwardenError as error:
        log.error("%s", error)  # noqa: TRY400 - the message is all there is to it
        return 2
    page = open_page(settings, offset=1)
    try:
        serve(app, host=settings.listen, port=settings.alerts.api_port, trusted_proxies=settings.trusted_proxies)
    finally:
        if page is not None:
            page.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
