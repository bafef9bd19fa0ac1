"""What the API says of itself, held against what it does, with made-up requests."""

import os

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import ignored_auth, unsupported_method

from deploy.api import ApiConfig, create_api
from tests.deploy.api.test_api import SECRET, tokens_of
from tests.streams.alerts.place import detect, raised, settled

pytestmark = pytest.mark.integration
EXAMPLES = 8 if os.environ.get("CI") else 5


@pytest.fixture(scope="module")
def app(module_database: str) -> FastAPI:
    detect(settled(module_database), 1)
    raised(module_database)
    return create_api(ApiConfig(dsn=module_database, secret=SECRET))


@pytest.fixture(scope="module")
def staff(app: FastAPI, module_database: str) -> str:
    assert app.openapi(), "made after the people"
    return tokens_of(module_database)["wang"]


@pytest.fixture
def schema(app: FastAPI) -> schemathesis.schemas.BaseSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", app)


lazy = schemathesis.pytest.from_fixture("schema")


@lazy.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_request_is_answered_as_the_schema_says(case: schemathesis.Case, staff: str) -> None:
    case.call_and_validate(
        headers={"Authorization": f"Bearer {staff}"}, excluded_checks=[ignored_auth, unsupported_method]
    )
