"""What the API says of itself, held against what it does, with made-up requests."""

import os
from typing import Any

import pytest
import requests
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, unsupported_method

from deploy.api import ApiConfig, create_api
from tests.deploy.api.test_api import SECRET, tokens_of
from tests.streams.alerts.place import detect, raised, settled

EXAMPLES = 12 if os.environ.get("CI") else 6


@pytest.mark.integration
@pytest.mark.parametrize("login", ["wang", "li.na", "first"])
def test_any_request_is_answered_as_the_schema_says(module_database: str, login: str) -> None:
    dsn = settled(module_database)
    detect(dsn, 1)
    raised(dsn)
    headers = {"Authorization": f"Bearer {tokens_of(dsn)[login]}"}
    app = create_api(ApiConfig(dsn=dsn, secret=lambda: SECRET))
    schema = schemathesis.openapi.from_dict(app.app.openapi())  # type: ignore[attr-defined]  # a FastAPI inside its guard
    tried = 0
    with TestClient(app, raise_server_exceptions=False) as client:
        for found in schema.get_all_operations():
            tried += 1
            operation = found.ok()  # type: ignore[union-attr]  # one that cannot be read fails here, as it should
            _hold(operation, client, headers)
    assert tried >= 28


def _hold(operation: Any, client: TestClient, headers: dict[str, str]) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def hold(case: "schemathesis.Case[Any]") -> None:
        given = case.as_transport_kwargs(base_url="http://testserver", headers=headers)
        asked = requests.Request(**given).prepare()
        response = client.request(
            str(asked.method), str(asked.url), headers=dict(asked.headers), content=asked.body or b""
        )
        response.request.read()
        case.validate_response(response, excluded_checks=[ignored_auth, unsupported_method])

    hold()
