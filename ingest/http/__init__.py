"""The door of everything that is served by HTTP: who may come in, with how much, and for how long."""

from ingest.http.attempts import Attempts
from ingest.http.guard import Authenticator, Guard, Visitor
from ingest.http.limits import Limits, Rule
from ingest.http.server import serve

__all__ = ["Attempts", "Authenticator", "Guard", "Limits", "Rule", "Visitor", "serve"]
