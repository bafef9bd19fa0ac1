"""A platform's client: registration, version check, dictionaries, configuration, data, each by the profile."""

import json
import logging
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from analytics.domain.errors import ConfigurationError, MeterwardenError, TransientError
from ingest.upload.codes import parse_code
from ingest.upload.figures import Item
from ingest.upload.outbox import Datum, Outbox
from ingest.upload.profile import Profile
from ingest.upload.sm4 import encrypted, key_of

__all__ = ["REGISTRATION", "Platform", "PlatformRefused", "Uploaded", "Uploader"]

log = logging.getLogger("metering.upload")

_TIMEOUT_S: Final = 30.0
_MOST_ANSWER: Final = 64 * 2**20
REGISTRATION: Final = "registration"
"""Under which name an outbox keeps what the platform answered to it."""
_VERSIONS: Final = "versions"
_CONFIGURATION: Final = "configuration"


class PlatformRefused(MeterwardenError):  # noqa: N818 - named after what happened
    """The platform answered, and refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Which platform, and as whom.

    Attributes
    ----------
    url : str
        Its address; https, but for tests on this machine.
    region : str
        Six-digit area code.
    enterprise : mapping
        Facts of the enterprise sent with the configuration, besides its code.
    """

    url: str
    region: str
    enterprise_code: str
    profile: Profile
    enterprise: Mapping[str, Any] = field(default_factory=dict)
    ca: Path | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        local = parts.hostname in ("127.0.0.1", "localhost", "::1")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ConfigurationError(f"url must begin with https:// (got {self.url!r})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """Result of an upload."""

    accepted: int = 0
    refused: int = 0
    answer: str = ""


class Uploader:
    """Uploads what an outbox holds.

    Parameters
    ----------
    now : callable
        Local time, for `uploadDate`.
    """

    def __init__(self, platform: Platform, outbox: Outbox, *, now: Callable[[], datetime] = datetime.now) -> None:
        self._platform, self._outbox, self._now = platform, outbox, now
        self._context = ssl.create_default_context(cafile=platform.ca) if platform.url.startswith("https") else None

    def register(self, *, again: bool = False) -> Mapping[str, Any]:
        """Register, or take the registration that is kept; raises `PlatformRefused` and `TransientError`."""
        kept = self._outbox.remembered(REGISTRATION)
        if kept is not None and not again:
            return dict(json.loads(kept))
        platform = self._platform
        body = {"region": platform.region, "enterpriseCode": platform.enterprise_code}
        answer = self._ask(self._at(platform.profile.register_path), body)
        if not answer.get("deviceId"):
            raise PlatformRefused("the platform must give a deviceId with the registration (it gave none)")
        if platform.profile.encrypt:
            key_of(str(answer.get("secretKey", "")))
        self._outbox.remember(REGISTRATION, json.dumps(answer, ensure_ascii=False))
        return answer

    def check_versions(self) -> bool:
        """Ask for versions, and download the dictionaries where they changed; whether they did."""
        registration = self.register()
        address = registration.get("loadDicVersionURL") or self._platform.profile.version_path
        answer = self._ask(self._at(str(address)), {"deviceId": registration["deviceId"]})
        versions = json.dumps({name: answer.get(name) for name in ("regVersion", "dicVersion")})
        before = json.loads(self._outbox.remembered(_VERSIONS) or "{}")
        if before.get("regVersion") not in (None, answer.get("regVersion")):
            registration = self.register(again=True)
        changed = bool(before.get("dicVersion") != answer.get("dicVersion"))
        if changed:
            self._download(registration)
        self._outbox.remember(_VERSIONS, versions)
        return changed

    def _download(self, registration: Mapping[str, Any]) -> None:
        address = registration.get("downloadBaseDataURL") or registration.get("centerInfoDownloadURL")
        if not address:
            return
        for index in self._platform.profile.dictionaries:
            answer = self._ask(self._at(str(address)), {"deviceId": registration["deviceId"], "itemIndex": index})
            self._outbox.remember(f"dictionary {index}", json.dumps(answer, ensure_ascii=False))

    def configure(self, items: Sequence[Item], *, again: bool = False) -> bool:
        """Tell what will be sent, one item a kind of period, where that is new; whether it was sent."""
        registration = self.register()
        platform = self._platform
        body = {
            "deviceId": registration["deviceId"],
            "enterpriseCode": platform.enterprise_code,
            "collectItemConfig": [
                _collect_item(item, stat_type) for item in items for stat_type in platform.profile.stat_types
            ],
            "enterprise": {"code": platform.enterprise_code, **platform.enterprise},
        }
        text = json.dumps(body, ensure_ascii=False, sort_keys=True)
        if self._outbox.remembered(_CONFIGURATION) == text and not again:
            return False
        address = registration.get("centerInfoURL") or registration.get("loadConfigURL")
        if address:
            self._ask(self._at(str(address)), body)
        self._outbox.remember(_CONFIGURATION, text)
        return bool(address)

    def upload(self) -> Uploaded:
        """Send everything that waits, batch by batch, until all is answered or the platform fails.

        A batch without an answer is sent again next time: a platform that has it already sees it twice, which is the
        lesser fault. Raises `TransientError` when the platform does not answer.
        """
        registration = self.register()
        profile = self._platform.profile
        accepted = refused = 0
        said = ""
        may_register, whole = True, False
        seen: set[tuple[str, int, str]] = set()
        while True:
            waiting = self._outbox.waiting(corrected=profile.correction == "resend", limit=profile.batch + len(seen))
            batch = [datum for datum in waiting if datum[:3] not in seen][: profile.batch]
            if not batch:
                return Uploaded(accepted=accepted, refused=refused, answer=said)
            seen |= {datum[:3] for datum in batch}
            self._outbox.attempted(batch)
            refusal = self._send(batch, registration)
            if refusal is not None and may_register and not accepted:
                may_register = False
                registration, before = self.register(again=True), registration
                if registration != before:  # a key or a number of the device is another now
                    refusal = self._send(batch, registration)
            if refusal is None:
                accepted += len(batch)
                continue
            said = refusal
            log.warning("upload: %s", said)
            bad: Sequence[Datum] = batch
            if not whole:
                bad = self._refused_of(batch, registration)
                whole = len(bad) == len(batch) > 1  # it refuses us, not single data: they are not asked for one by one
            accepted += len(batch) - len(bad)
            refused += len(bad)

    def _send(self, batch: Sequence[Datum], registration: Mapping[str, Any]) -> str | None:
        """Send data; None where they were accepted, else what the platform answered, which is noted of each."""
        try:
            answer = self._ask(self._at(str(registration["centerDataURL"])), self._message(batch, registration))
        except PlatformRefused as error:
            self._outbox.answered(batch, accepted=False, answer=str(error))
            return str(error)
        self._outbox.answered(batch, accepted=True, answer=str(answer.get("responseMessage", "")))
        return None

    def _refused_of(self, batch: Sequence[Datum], registration: Mapping[str, Any]) -> list[Datum]:
        """Of a batch that was refused as a whole the data that are: the others must not wait for them for ever.

        Where the first and the last are refused by themselves too, all of them are taken for refused.
        """
        if len(batch) == 1:
            return list(batch)
        ends = [one for one in (batch[0], batch[-1]) if self._send([one], registration) is not None]
        if len(ends) == 2:
            return list(batch)
        return ends + self._halved(batch[1:-1], registration)

    def _halved(self, batch: Sequence[Datum], registration: Mapping[str, Any]) -> list[Datum]:
        if not batch or self._send(batch, registration) is None:
            return []
        if len(batch) == 1:
            return list(batch)
        middle = len(batch) // 2
        return self._halved(batch[:middle], registration) + self._halved(batch[middle:], registration)

    def _message(self, batch: Sequence[Datum], registration: Mapping[str, Any]) -> dict[str, Any]:
        profile = self._platform.profile
        key = key_of(str(registration["secretKey"])) if profile.encrypt else b""
        uploaded = f"{self._now():%Y-%m-%d %H:%M:%S}"

        def row(datum: Datum) -> dict[str, Any]:
            plain: dict[str, Any] = {
                "dataCode": parse_code(datum.code).text(hyphens=profile.hyphens),
                "dataValue": datum.value,
                "inputType": datum.input_type,
                "statType": datum.stat_type,
                "statDate": datum.start,
                "uploadDate": uploaded,
                "scope": datum.scope,
                "valid": profile.invalid if datum.estimated else profile.valid,
            }
            return {
                name: encrypted(_text(value), key) if name in profile.encrypt else value
                for name, value in plain.items()
            }

        return {
            "deviceId": registration["deviceId"],
            "enterpriseCode": self._platform.enterprise_code,
            "data": [row(datum) for datum in batch],
        }

    def _at(self, path: str) -> str:
        address = urljoin(self._platform.url.rstrip("/") + "/", path)
        if urlsplit(address).hostname != urlsplit(self._platform.url).hostname:
            log.warning("upload: the platform names another host: %s", urlsplit(address).hostname)
        if urlsplit(self._platform.url).scheme == "https" and urlsplit(address).scheme != "https":
            raise PlatformRefused(f"addresses of a platform must begin with https:// (got {address})")
        return address

    def _ask(self, address: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        data = json.dumps(body, ensure_ascii=False).encode()
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            address, data, {"Content-Type": "application/json;charset=UTF-8"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=self._context) as answer:  # noqa: S310
                text = answer.read(_MOST_ANSWER)
        except urllib.error.HTTPError as error:
            error.close()
            raise TransientError(f"{address} must answer with 200 (got {error.code})") from error
        except OSError as error:
            raise TransientError(f"{address} must answer ({error})") from error
        try:
            found = json.loads(text)
        except ValueError as error:
            raise TransientError(f"{address} must answer in JSON (got {text[:80]!r})") from error
        if not isinstance(found, dict):
            raise TransientError(f"{address} must answer with an object (got {text[:80]!r})")
        code = str(found.get("responseCode", ""))
        if code not in self._platform.profile.success:
            raise PlatformRefused(f"responseCode {code or 'none'}: {found.get('responseMessage', 'no message')}")
        return found


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _collect_item(item: Item, stat_type: int) -> dict[str, Any]:
    code = parse_code(item.code)
    return {
        "name": item.name,
        "processCode": code.process,
        "processUnitCode": code.unit,
        "equipmentCode": code.equipment,
        "equipmentUnitCode": code.number,
        "energyClassCode": code.energy_class,
        "energyTypeCode": code.variety,
        "dataUsageCode": code.use,
        "inputType": item.input_type,
        "dataValueMax": None if item.maximum is None else float(item.maximum),
        "dataValueMin": None if item.minimum is None else float(item.minimum),
        "statType": stat_type,
        "scope": item.in_scope,
    }
