import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import DefaultPartitioner, murmur2

from ingest.wire import partition, partition_of

# from the unit test of Kafka's Java client, UtilsTest.testMurmur2
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "hashed"), JAVA.items())
def test_hash_is_that_of_the_java_client(key: bytes, hashed: int) -> None:
    assert partition.murmur2(key) == hashed % 2**32


@given(st.binary(max_size=40))
def test_hash_is_that_of_kafka_python(key: bytes) -> None:
    assert partition.murmur2(key) == murmur2(key) % 2**32


class Cluster:
    """As much of a cluster's metadata as a partitioner looks at."""

    def __init__(self, partitions: int) -> None:
        self.partitions = set(range(partitions))

    def topics(self) -> set[str]:
        return {"t"}

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return self.partitions

    available_partitions_for_topic = partitions_for_topic


@given(st.text(max_size=20), st.integers(1, 200))
def test_partition_is_where_kafka_python_sends_it(unit_code: str, partitions: int) -> None:
    key = unit_code.encode()
    sent_to = DefaultPartitioner().partition("t", unit_code, key, None, None, Cluster(partitions))
    assert partition_of(unit_code, partitions) == sent_to
