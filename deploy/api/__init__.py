"""The HTTP API: alerts, cases, silences and statistics, by person and role; and the links of messages."""

from deploy.api.app import ApiConfig, create_api

__all__ = ["ApiConfig", "create_api"]
