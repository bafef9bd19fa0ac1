"""Each reading of an inbox goes on or is refused, once; what goes on is of the gateway's units alone."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.quality import RejectReason
from ingest.gateway.access import Gateway
from ingest.wire import CONTENT_TYPE, RECEIVED_AT, Headers, decode_records, encode_readings_json
from ingest.wire.records import Records
from streams.admission.agent import may_not
from streams.admission.decide import Decision, decide
from tests.streams.site import BLOCK, JSON, Site

ZONE = ZoneInfo("Asia/Shanghai")
SITE = Site(units=3, meters=4)
OWN, FOREIGN, OTHER = SITE.codes
NOW = datetime(2026, 11, 30, tzinfo=UTC)
NOW_US = int(NOW.timestamp() * 1e6)
GATEWAY = Gateway(id=1, name="g", unit_codes=frozenset({OWN, OTHER}))


def of(*messages: tuple[bytes | None, Headers], gateway: Gateway | None = GATEWAY, **more: object) -> Decision:
    return decide(
        Records.of(
            [value for value, _ in messages],
            headers=[headers for _, headers in messages],
            offsets=range(100, 100 + len(messages)),
            timestamps_us=[NOW_US] * len(messages),
        ),
        may_not=may_not(gateway, "g"),
        zone=ZONE,
        **more,  # type: ignore[arg-type]
    )


def single(code: str, tick: int = 0) -> bytes:
    return encode_readings_json(SITE.block(code, tick))[0]


def array(*codes: str) -> bytes:
    return b"[" + b",".join(single(code, tick) for tick, code in enumerate(codes)) + b"]"


def test_a_message_of_one_own_unit_goes_on_as_it_came() -> None:
    block = next(SITE.blocks(0, 1))
    decision = of(
        (block.value, [*BLOCK, ("other", b"x")]), (array(OWN, OWN), []), (b"[1," + single(OTHER) + b"]", JSON)
    )
    assert decision.rejected == []
    assert [(one.unit_code, one.value) for one in decision.admitted] == [
        (OWN, block.value),
        (OWN, array(OWN, OWN)),
        (OTHER, b"[1," + single(OTHER) + b"]"),
    ]
    assert [dict(one.headers) for one in decision.admitted] == [
        {CONTENT_TYPE: BLOCK[0][1], RECEIVED_AT: b"%d" % NOW_US},
        {RECEIVED_AT: b"%d" % NOW_US},
        {CONTENT_TYPE: JSON[0][1], RECEIVED_AT: b"%d" % NOW_US},
    ]


def test_another_s_unit_is_refused_with_what_was_required_and_what_came() -> None:
    foreign = encode_readings_json(SITE.block(FOREIGN, 0))
    decision = of((b"[" + b",".join(foreign) + b"]", JSON))
    assert decision.admitted == []
    (row,) = decision.rejected
    assert (row.kafka_offset, row.position, row.reason, row.readings) == (100, 0, RejectReason.FOREIGN_UNIT, 4)
    assert row.required == f"a unit that gateway g may send: {OWN} {OTHER}"
    assert row.got == f"readings of {FOREIGN}"


def test_a_message_of_several_units_is_taken_apart() -> None:
    decision = of((array(OWN, FOREIGN, OTHER, OWN), JSON))
    assert [(one.unit_code, len(json.loads(one.value))) for one in decision.admitted] == [(OWN, 2), (OTHER, 1)]
    (row,) = decision.rejected
    assert (row.unit_code, row.position, len(json.loads(row.payload))) == (None, 1, 1), "not among that unit's own"


def test_what_cannot_be_read_is_refused_here() -> None:
    decision = of((b"?", []), (None, []), (b"[1," + array(OWN, FOREIGN)[1:], JSON))
    assert [one.unit_code for one in decision.admitted] == [OWN]
    assert [(row.kafka_offset, row.reason) for row in decision.rejected] == [
        (100, RejectReason.MALFORMED),
        (101, RejectReason.MALFORMED),
        (102, RejectReason.MALFORMED),
        (102, RejectReason.FOREIGN_UNIT),
    ]


def test_what_cannot_be_read_of_another_s_unit_is_refused_here_and_not_among_that_unit_s() -> None:
    forged = single(FOREIGN).replace(b'"value":', b'"value":"look here","was":')
    message = b"[" + single(OWN) + b"," + forged + b"]"
    decision = of((message, JSON))
    assert [(one.unit_code, one.value) for one in decision.admitted] == [(OWN, array(OWN))]
    assert [(row.unit_code, row.position, row.readings) for row in decision.rejected] == [(None, 1, 1)]
    own = of((b"[" + single(OWN) + b"," + forged.replace(FOREIGN.encode(), OWN.encode()) + b"]", JSON))
    assert own.rejected == [], "the worker says what is wrong with those of its own"


def test_no_gateway_and_one_that_is_over_send_nothing_and_one_that_was_in_force_then_does() -> None:
    assert [row.required for row in of((single(OWN), JSON), gateway=None).rejected] == [
        "a gateway that is entered in the registry, and g is not"
    ]
    for ended, admitted in ((NOW, 0), (NOW + timedelta(seconds=1), 1)):
        gateway = Gateway(id=1, name="g", unit_codes=frozenset({OWN}), valid_to=ended)
        assert len(of((single(OWN), JSON), gateway=gateway).admitted) == admitted


def test_nobody_says_that_readings_came_later_than_they_did() -> None:
    far = [*JSON, (RECEIVED_AT, b"%d" % (NOW_US + 10**12))]
    before = [*JSON, (RECEIVED_AT, b"%d" % (NOW_US - 10**9))]
    decision = of((single(OWN), far), (single(OWN), before))
    assert [dict(one.headers)[RECEIVED_AT] for one in decision.admitted] == [
        b"%d" % NOW_US,
        b"%d" % (NOW_US - 10**9),
    ]


def test_what_was_refused_and_stored_before_stays_refused() -> None:
    first = of((array(OWN, FOREIGN), JSON))
    wider = Gateway(id=1, name="g", all_units=True)
    again = of((array(OWN, FOREIGN), JSON), gateway=wider, refused_before={(100, first.rejected[0].position)})
    assert [row.payload for row in again.rejected] == [row.payload for row in first.rejected]
    assert [one.value for one in again.admitted] == [one.value for one in first.admitted]


@given(
    st.lists(
        st.one_of(
            st.lists(st.sampled_from(SITE.codes), min_size=1, max_size=5).map(lambda codes: (array(*codes), JSON)),
            st.sampled_from(SITE.codes).map(lambda code: (single(code), [])),
            st.sampled_from([message.value for message in SITE.blocks(0, 2)]).map(lambda value: (value, BLOCK)),
            st.binary(max_size=20).map(lambda value: (value, [])),
        ),
        max_size=8,
    )
)
def test_every_reading_goes_one_way_and_nothing_foreign_goes_on(messages: list[tuple[bytes, Headers]]) -> None:
    def count(values: list[bytes], headers: list[Headers]) -> tuple[int, set[str]]:
        blocks, faults = decode_records(values, headers=headers, timestamps_us=[NOW_US] * len(values), zone=ZONE)
        return sum(map(len, blocks)) + sum(fault.readings for fault in faults), {block.unit_code for block in blocks}

    decision = of(*messages)
    sent, _ = count([value for value, _ in messages], [headers for _, headers in messages])
    admitted, units = count([one.value for one in decision.admitted], [one.headers for one in decision.admitted])
    assert admitted + sum(row.readings for row in decision.rejected) == sent
    assert units <= {OWN, OTHER}
