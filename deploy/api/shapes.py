"""Request and response models of the API, as published by OpenAPI."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

__all__ = [
    "AlertOut",
    "Ask",
    "AttachmentOut",
    "CaseOut",
    "CertificateIn",
    "CertificateOut",
    "CloseIn",
    "EventOut",
    "GivenAssignee",
    "GivenDays",
    "Identity",
    "Limit",
    "MessageOut",
    "NoteIn",
    "Page",
    "PersonOut",
    "Problem",
    "SilenceIn",
    "SilenceOut",
    "StatisticsOut",
    "Stored",
    "Verdict",
    "VerdictIn",
]

_LARGEST = 2**63 - 1
Identity = Annotated[int, Path(ge=1, le=_LARGEST)]
Limit = Annotated[int, Query(ge=1, le=500)]
Page = Annotated[int | None, Query(ge=1, le=_LARGEST, description="Only what has a lower id: the next page.")]
Ask = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]
Words = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Verdict = Literal["faulty", "sound", "load_changed", "data_path"]
State = Literal["open", "acknowledged", "clearing", "cleared"]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """What was required and what came."""

    detail: str


class PersonOut(BaseModel):
    """The person who is signed in."""

    login: str
    name: str
    role: str
    unit_code: str


class AlertOut(BaseModel):
    """An alert."""

    id: int
    unit_code: str
    unit_name: str
    point: str | None
    meter_no: str | None
    kind: str
    severity: str
    state: str
    since: datetime
    raised_at: datetime
    updated_at: datetime
    cleared_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    energy_affected: float | None
    energy_unit: str
    title_zh: str
    title_en: str
    detections: int
    standing: int
    level: int | None
    case_id: int | None
    case_number: str | None


class CertificateIn(_In):
    """A certificate as it was issued."""

    unit_code: Name
    meter_no: Name
    kind: Literal["verification", "calibration"] = "verification"
    number: Name
    body: Name
    verified_on: date
    conclusion: Literal["qualified", "limited", "failed"]
    due: date | None = None
    accuracy_class: Annotated[str, StringConstraints(max_length=20, pattern=r"^[^\x00]*$")] = ""
    note: Words = ""


class CertificateOut(BaseModel):
    """A certificate; `cycle` 1 is the instrument's newest."""

    id: int
    unit_code: str
    unit_name: str
    meter_no: str
    cycle: int
    kind: str
    number: str
    body: str
    verified_on: date
    conclusion: str
    due: date | None
    accuracy_class: str
    scan: str | None


class EventOut(BaseModel):
    """A step of an alert or a case."""

    at: datetime
    by: str
    action: str
    state: str = ""
    note: str
    facts: dict[str, Any] = Field(default_factory=dict)


class CaseOut(BaseModel):
    """A case."""

    id: int
    number: str
    alert_id: int | None
    unit_code: str
    unit_name: str
    point: str | None
    meter_no: str | None
    kind: str
    state: str
    assignee: str | None
    verdict: str | None
    found_on: date | None
    opened_at: datetime
    due_on: date | None
    due_certain: bool
    overdue: bool | None
    closed_at: datetime | None
    energy_recovered: float | None


class AttachmentOut(BaseModel):
    """A file of a case."""

    id: int
    name: str
    media_type: str
    bytes: int
    sha256: str
    stored_at: datetime


class MessageOut(BaseModel):
    """How the outbox stands with a channel."""

    channel: str
    state: str
    messages: int
    oldest_at: datetime
    attempts: int
    last_sent_at: datetime | None
    last_error: str | None


class SilenceOut(BaseModel):
    """Planned work."""

    id: int
    unit_code: str | None
    point: str | None
    kind: str | None
    starts_at: datetime
    ends_at: datetime
    reason: str


class StatisticsOut(BaseModel):
    """How right a detector was, as found on site."""

    kind: str
    cases: int
    verdicts: int
    faulty: int
    data_path: int
    sound: int
    load_changed: int
    precision: float | None
    median_days_to_verdict: float | None
    closed: int
    overdue: int
    energy_recovered: float | None
    energy_unit: str


class Stored(BaseModel):
    """The id of what was stored."""

    id: int


class NoteIn(_In):
    """A remark; an enterprise is shown it only where it is not internal, or its own."""

    note: Words = ""
    internal: bool = True


class GivenAssignee(NoteIn):
    """The person who goes to the site, or takes the case over."""

    assignee: Name


class VerdictIn(NoteIn):
    """What was found on site."""

    verdict: Verdict
    found_on: date | None = None


class GivenDays(NoteIn):
    """An order to correct, in working days."""

    days: Annotated[int, Field(ge=1, le=365)] | None = None


class CloseIn(NoteIn):
    """The end of a case."""

    energy_recovered: Annotated[float, Field(ge=0, lt=1e15)] | None = None


class SilenceIn(_In):
    """Planned work: nothing is sent of what it covers."""

    unit: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")] = ""
    point: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")] = ""
    kind: Annotated[str, StringConstraints(max_length=40, pattern=r"^[^\x00]*$")] = ""
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    reason: Name
