"""Protection of everything served by HTTP: authentication, size limits, time limits."""

from ingest.http.attempts import Attempts
from ingest.http.guard import Authenticator, Guard, Visitor
from ingest.http.limits import Limits, Rule
from ingest.http.server import serve

__all__ = ["Attempts", "Authenticator", "Guard", "Limits", "Rule", "Visitor", "serve"]
