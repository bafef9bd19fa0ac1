"""Channels: where messages leave by apprise.

Their URLs hold secrets, come from a file of the sender's own, and are never logged or stored: whatever a library says
of a failure is cleaned of every part of them first.
"""

import logging
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
from apprise.apprise_attachment import AppriseAttachment
from apprise.plugins.email import NotifyEmail

from analytics.domain.errors import ConfigurationError
from analytics.domain.toml import parse_toml
from streams.alerts.address import is_one_address
from streams.alerts.mail import html_of

__all__ = ["Channel", "MessageReceipt", "cleaned", "deliver", "read_channels"]

_KEY_HEADER: Final = "X-Meterwarden-Key"
_ASSET: Final = AppriseAsset(app_id="Meterwarden", app_desc="Meterwarden", app_url="", secure_logging=True)
_TYPES: Final = {"serious": NotifyType.FAILURE, "warning": NotifyType.WARNING, "info": NotifyType.INFO}

for _name in ("apprise", "urllib3", "requests"):  # what they log may hold a channel's secrets
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A delivery channel.

    Attributes
    ----------
    url : str
        As apprise has it; ``{address}`` stands for a recipient's own.
    per_minute : int
        Most messages in any minute. [1]
    pictures : bool
        Whether it takes one.
    timeout_s : float
        Longest time that one attempt may take. [s]
    """

    name: str
    url: str = field(repr=False)
    per_minute: int = 20
    pictures: bool = True
    timeout_s: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceipt:
    """Result of a delivery attempt; `said` is free of secrets."""

    sent: bool
    said: str


def read_channels(text: str, source: str) -> dict[str, Channel]:
    """Channels out of TOML: tables named after them with url, per_minute, pictures, timeout_s.

    Raises `ConfigurationError` listing every fault at once, and no URL.
    """
    try:
        table = parse_toml(text)
    except tomllib.TOMLDecodeError:
        raise ConfigurationError(f"{source} must be TOML with a table for each channel (it cannot be read)") from None
    faults: list[str] = []
    channels = {name: channel for name, values in table.items() if (channel := _channel(name, values, faults))}
    if faults:
        raise ConfigurationError(f"{source}: " + "; ".join(faults))
    return channels


def deliver(
    channel: Channel, *, address: str, key: str, severity: str, title: str, body: str, picture: str | None
) -> MessageReceipt:
    """Send one message, now; blocks until it is accepted, refused or the time is over.

    Parameters
    ----------
    channel : Channel
    address : str
        What ``{address}`` in its URL stands for.
    key : str
        Goes along in a header where the channel has any; it stands in the text too.
    picture : str or None
        Path of a PNG.
    """
    if address and not is_one_address(address):  # entered before addresses were checked
        return MessageReceipt(
            sent=False, said="an address must be one: without blanks, commas and semicolons (it is not)"
        )
    url = _url(channel, address)
    plugin = Apprise.instantiate(url, asset=_ASSET, suppress_exceptions=True)
    if plugin is None:
        return MessageReceipt(
            sent=False, said=f"the URL of channel {channel.name} must be one that apprise knows (it is not)"
        )
    headers = getattr(plugin, "headers", None)
    if isinstance(headers, dict):
        headers[_KEY_HEADER] = key
    if isinstance(plugin, NotifyEmail) and plugin.resolve_format("html") == NotifyFormat.HTML:
        body, body_format = html_of(title, body), "html"  # the library puts the text of it beside it
    else:
        body_format = "text"
    notifier = Apprise(asset=_ASSET)
    notifier.add(plugin)
    said: list[str] = []
    result = notifier.notify(
        body=body,
        title=title,
        notify_type=_TYPES.get(severity, NotifyType.INFO),
        body_format=body_format,
        attach=AppriseAttachment(picture) if picture and channel.pictures and plugin.attachment_support else None,
        timeout=channel.timeout_s,
        log_callback=lambda entry, _plugin: said.append(str(getattr(entry, "message", entry))),
        log_level=logging.WARNING,
    )
    words = cleaned("; ".join(said)[:2000], url)[:500]
    if result:
        return MessageReceipt(sent=True, said=f"accepted by {channel.name}")
    return MessageReceipt(sent=False, said=words or f"{channel.name} did not take it")


def cleaned(text: str, url: str) -> str:
    """A text without any part of a URL but its scheme and host.

    Examples
    --------
    >>> cleaned("POST https://qyapi/send?key=abc-123 failed for me@x", "wecombot://abc-123")
    'POST https://qyapi/send?key=*** failed for me@x'
    >>> cleaned("login as watch with hunter2 at mail.example.org", "mailtos://watch:hunter2@mail.example.org:465")
    'login as *** with *** at mail.example.org'
    """
    _, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    login, at, host = authority.rpartition("@")
    pieces = re.split(r"[/?&=:,]", f"{login}/{path}" if slash or at else "")
    if not at and not re.search(r"[.:]", host):
        pieces.append(host)  # a bot's key stands where other schemes have a host
    secrets = {piece for raw in pieces for piece in (raw, unquote(raw), quote(raw)) if len(piece) >= 4}
    for secret in sorted(secrets - {"true", "false", "html", "text", "localhost"}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _url(channel: Channel, address: str) -> str:
    return channel.url.replace("{address}", quote(address, safe="@"))


def _channel(name: str, values: object, faults: list[str]) -> Channel | None:
    if not isinstance(values, Mapping):
        faults.append(f"{name} must be a table [{name}]")
        return None
    url = values.get("url")
    checks: dict[str, tuple[Any, bool, str]] = {
        "url": (url, isinstance(url, str) and "://" in url, "an apprise URL"),
        "per_minute": (
            values.get("per_minute", 20),
            _whole(values.get("per_minute", 20)),
            "a whole number from 1 to 6000",
        ),
        "pictures": (values.get("pictures", True), isinstance(values.get("pictures", True), bool), "true or false"),
        "timeout_s": (values.get("timeout_s", 20.0), _seconds(values.get("timeout_s", 20.0)), "from 1 to 300 seconds"),
    }
    bad = [f"{name}.{key} must be {required}" for key, (_, right, required) in checks.items() if not right]
    bad += [f"{name}.{key} must be one of {', '.join(checks)}" for key in values.keys() - checks.keys()]
    if not bad and Apprise.instantiate(str(url).replace("{address}", "a@example.org"), asset=_ASSET) is None:
        bad.append(f"{name}.url must be one that apprise knows")
    faults += bad
    return None if bad else Channel(name=name, **{key: value for key, (value, _, _) in checks.items()})


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 6000


def _seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= 300
