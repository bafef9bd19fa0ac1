"""A region for a module, or two, each with its pages."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from fastapi.testclient import TestClient

from deploy.roles import service_address
from deploy.stack import Stack
from deploy.web import PagesConfig, create_pages
from ingest.http import Attempts
from ingest.kafka.config import KafkaConfig
from ingest.kafka.publisher import create_topics
from tests.dashboards.test_isolation import MARK_B
from tests.dashboards.world import World, fill
from tests.deploy.commands.test_compliance import GOLDEN, PLANT, called
from tests.deploy.web.office import HOST, Office, enter

GIVEN = ("person", "unit", "sub_unit", "main_equipment", "metering_point", "meter", "register", "energy_series")


@pytest.fixture(scope="module")
def office(module_database: str, stack: Stack) -> Iterator[Office]:
    """Pages as the API's role over two units, of which the second is full of secrets."""
    fill(module_database, World(end=datetime.now(UTC).replace(minute=0, second=0, microsecond=0), samples=200))
    with psycopg.connect(module_database, autocommit=True) as connection:
        connection.execute(MARK_B.encode())
        for table in GIVEN:  # the world gives ids by itself
            connection.execute("select setval(pg_get_serial_sequence(%s, 'id'), 10000)", (table,))
    enter(module_database)
    api = service_address(module_database, "api", secret="of these tests")
    access = stack.access
    prefix = f"pages-{uuid.uuid4().hex[:12]}."
    kafka = KafkaConfig(bootstrap=access.bootstrap, security=access.security, prefix=prefix, partitions=2)
    create_topics(kafka)  # as `up` does; who sends may not
    app = create_pages(PagesConfig(dsn=api, kafka=kafka), attempts=Attempts(burst=1000))
    with TestClient(app, base_url=HOST, follow_redirects=False) as door:
        yield Office(module_database, app.app, door)  # type: ignore[arg-type]  # a FastAPI inside its guard


@pytest.fixture(scope="module")
def plant(other_module_database: str) -> Iterator[Office]:
    """Pages over a ledger that was really loaded, with an enterprise's person of its plant."""
    assert called("ledger", "load", GOLDEN / "ledger_plant.csv", dsn=other_module_database).exit_code == 0
    enter(other_module_database, {"chief": ("staff", ""), "li.na": ("inspector", ""), "first": ("enterprise", PLANT)})
    api = service_address(other_module_database, "api", secret="of these tests")
    app = create_pages(PagesConfig(dsn=api), attempts=Attempts(burst=1000))
    with TestClient(app, base_url=HOST, follow_redirects=False) as door:
        yield Office(other_module_database, app.app, door)  # type: ignore[arg-type]  # a FastAPI inside its guard
