"""Where Kafka's default partitioner puts a key: the murmur2 of Java's client, which kafka-python shares."""

from functools import lru_cache

__all__ = ["murmur2", "partition_of"]

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995
_SEED = 0x9747B28C


@lru_cache(maxsize=65536)  # a country has some 17,000 units
def partition_of(unit_code: str, partitions: int) -> int:
    """Partition of an energy-using unit's readings in a topic of so many partitions.

    Examples
    --------
    >>> partition_of("91110000MA01ABCD2E", 12)
    1
    """
    return (murmur2(unit_code.encode()) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """32-bit murmur2 hash as Kafka's clients compute it.

    Examples
    --------
    >>> murmur2(b"21") - 2**32  # as in the unit test of Kafka's Java client
    -973932308
    """
    n = len(key)
    h = _SEED ^ n
    for at in range(0, n - n % 4, 4):
        k = int.from_bytes(key[at : at + 4], "little") * _M & _MASK
        h = h * _M & _MASK ^ (k ^ k >> 24) * _M & _MASK
    tail = key[n - n % 4 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15
