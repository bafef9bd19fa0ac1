import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.quality import RejectReason
from ingest.wire import Rejected, parse_rejected, rejected_headers

numbers = st.integers(-1, 2**63 - 1)
printable = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=50)


@given(
    st.builds(
        Rejected,
        reason=st.sampled_from(RejectReason),
        required=printable,
        got=printable,
        source_topic=st.text(),
        source_partition=numbers,
        source_offset=numbers,
        position=numbers,
        readings=numbers,
        identity=st.text(),
        received_at=st.none() | numbers,
        payload=st.binary(),
    )
)
def test_what_is_written_into_headers_is_read_back(sent: Rejected) -> None:
    said = {name: getattr(sent, name) for name in Rejected.__slots__ if name != "payload"}
    assert parse_rejected(rejected_headers(**said), sent.payload) == sent


@given(st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=9))), st.data())
def test_headers_of_others_are_refused_by_name(headers: list[tuple[str, bytes | None]], data: st.DataObject) -> None:
    with pytest.raises(ValueError, match=r"header \w+ must be"):
        parse_rejected(headers, b"")
    with pytest.raises(ValueError, match="header source_partition must be a whole number"):
        parse_rejected([("reason", b"future"), ("source_partition", b"x"), *headers], data.draw(st.binary()))
