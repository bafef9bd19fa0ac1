"""What a gateway that means harm can do to our Kafka, and a stranger at its door: against the real broker."""

import asyncio
import base64
import hashlib
import hmac
import itertools
import os
import random
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import cramjam
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError as AioKafkaError
from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.record.util import calc_crc32c
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    NewTopic,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError

from deploy.kafka_access import user_of
from deploy.settings import KafkaSettings
from deploy.stack import Stack
from deploy.stack.jars import CLASSES, RESOURCES, jars
from deploy.stack.kafka_gateways import keep_out, let_in
from deploy.stack.kafka_listener import GATEWAY_REQUEST_BYTES
from deploy.stack.kafka_probe import ask
from deploy.stack.kafka_quotas import Share, give_share, share_of
from deploy.stack.processes import until
from ingest.gateway.access import inbox_of
from ingest.kafka.publisher import Publisher, create_topics, end_offsets, topic_id
from ingest.kafka_access import KafkaAccess
from ingest.wire import READINGS_TOPIC
from streams.config import ADMISSION_GROUP, GROUP

pytestmark = pytest.mark.integration

SHARE = share_of(KafkaSettings())
MIB = 1 << 20
NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
SOON_S = 60.0
"""How long a busy machine may take for what takes a second."""


@dataclass(frozen=True)
class Gateway:
    """One that was let in."""

    stack: Stack
    name: str
    password: str

    @property
    def access(self) -> KafkaAccess:
        kafka = self.stack.settings.kafka
        return KafkaAccess(
            f"127.0.0.1:{kafka.gateway_port}",
            {
                "security_protocol": "SASL_SSL",
                "ssl_cafile": str(kafka.gateway_certificate),
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_username": self.name,
                "sasl_plain_password": self.password,
            },
        )


@pytest.fixture
def gateway(stack: Stack) -> Iterator[Gateway]:
    """A gateway with the share that settings give by default."""
    create_topics(stack.kafka_config)
    name = f"evil-{uuid.uuid4().hex[:8]}"
    yield Gateway(stack, name, let_in(stack.access, name, share=SHARE))
    assert until(lambda: ask(stack.access, timeout_s=SOON_S).brokers == 1, SOON_S), "what a test did is over"
    keep_out(stack.access, name)
    with closing(KafkaAdminClient(**stack.access.options())) as admin:
        admin.delete_topics([inbox_of(name)])


class Wire:
    """A connection to the door of gateways, over which any bytes can be sent."""

    def __init__(self, stack: Stack, *, timeout_s: float = SOON_S) -> None:
        kafka = stack.settings.kafka
        context = ssl.create_default_context(cafile=str(kafka.gateway_certificate))
        plain = socket.create_connection(("127.0.0.1", kafka.gateway_port), timeout_s)
        self._numbers = itertools.count()
        try:
            self._socket = context.wrap_socket(plain, server_hostname="127.0.0.1")
        except OSError:
            plain.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def state(self, size: int) -> None:
        """Say that a request to produce of so many bytes comes, and send its head."""
        self._socket.sendall(struct.pack(">ihhih", size, 0, 7, 1, -1))

    def is_cut_off(self) -> bool:
        """Whether Kafka closes the connection."""
        try:
            self.answer()
        except (EOFError, ConnectionError, ssl.SSLError):
            return True
        return False

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> bytes:
        (size,) = struct.unpack(">i", self._exactly(4))
        return self._exactly(size)

    def request(self, key: int, version: int, body: bytes) -> bytes:
        head = struct.pack(">hhih", key, version, next(self._numbers), -1)
        return struct.pack(">i", len(head) + len(body)) + head + body

    def ask(self, key: int, version: int, body: bytes) -> bytes:
        self.send(self.request(key, version, body))
        return self.answer()[4:]

    def login(self, gateway: Gateway) -> None:
        """SCRAM-SHA-512, RFC 5802."""
        mechanism, nonce = b"SCRAM-SHA-512", base64.b64encode(os.urandom(18)).decode()
        self.ask(17, 1, struct.pack(">h", len(mechanism)) + mechanism)
        first = f"n={gateway.name},r={nonce}"
        server = self._authenticate(f"n,,{first}".encode()).decode()
        said = dict(part.split("=", 1) for part in server.split(","))
        salted = hashlib.pbkdf2_hmac("sha512", gateway.password.encode(), base64.b64decode(said["s"]), int(said["i"]))
        client = hmac.digest(salted, b"Client Key", "sha512")
        last = f"c=biws,r={said['r']}"
        signature = hmac.digest(hashlib.sha512(client).digest(), f"{first},{server},{last}".encode(), "sha512")
        proof = bytes(a ^ b for a, b in zip(client, signature, strict=True))
        self._authenticate(f"{last},p={base64.b64encode(proof).decode()}".encode())

    def produce(self, topic: str, codec: int, packed: bytes) -> int:
        """Send a batch of one record in a codec's bytes; Kafka's code of the error."""
        name = topic.encode()
        answer = self.ask(0, 7, produce_body(topic, batch_of(codec, packed)))
        at = 4 + 2 + len(name) + 4 + 4
        return int(struct.unpack(">h", answer[at : at + 2])[0])

    def _authenticate(self, data: bytes) -> bytes:
        answer = self.ask(36, 0, struct.pack(">i", len(data)) + data)
        error, message = struct.unpack(">hh", answer[:4])
        assert error == 0, answer
        at = 4 + max(message, 0)
        (size,) = struct.unpack(">i", answer[at : at + 4])
        return answer[at + 4 : at + 4 + size]

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise EOFError("Kafka has closed the connection")
            data += part
        return data


def batch_of(codec: int, packed: bytes) -> bytes:
    """A batch of one record; KIP-98."""
    after = struct.pack(">hiqqqhii", codec, 0, 0, 0, -1, -1, -1, 1) + packed
    return struct.pack(">qiibI", 0, len(after) + 9, 0, 2, calc_crc32c(after)) + after


def produce_body(topic: str, *batches: bytes) -> bytes:
    """A request to produce of version 7, each batch as if to a partition of its own."""
    name = topic.encode()
    parts = [struct.pack(">ii", number, len(batch)) + batch for number, batch in enumerate(batches)]
    return struct.pack(">hhiih", -1, 1, 30_000, 1, len(name)) + name + struct.pack(">i", len(parts)) + b"".join(parts)


def produce_13(topic: uuid.UUID, batch: bytes) -> bytes:
    """A request to produce of version 13: compact lengths, and no tagged fields where some may stand."""
    none = b"\0"
    part = struct.pack(">i", 0) + varint(len(batch) + 1) + batch + none
    return none + none + struct.pack(">hi", -1, 30_000) + b"\2" + topic.bytes + b"\2" + part + none + none


def kafka_pid(stack: Stack) -> tuple[int, ...]:
    return next(part for part in stack.status() if part.name == "kafka").pids


def varint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def record_of(value: bytes) -> bytes:
    record = b"\0\0\0\1" + varint(2 * len(value)) + value + b"\0"
    return varint(2 * len(record)) + record


def framed(claimed: int) -> bytes:
    """What Java's producers frame snappy in: a chunk that says how long it is."""
    return b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, claimed) + b"abc"


def inner(claimed: int) -> bytes:
    chunk = varint(claimed) + bytes(20)
    return b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, len(chunk)) + chunk


def bare(claimed: int) -> bytes:
    return varint(claimed) + bytes(20)


def xerial(data: bytes) -> bytes:
    """As Java's producers frame it: 32 KiB a chunk."""
    chunks = [bytes(cramjam.snappy.compress_raw(data[at : at + 32_768])) for at in range(0, len(data), 32_768)]
    return b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1) + b"".join(struct.pack(">i", len(c)) + c for c in chunks)


@pytest.mark.parametrize("packed", [framed, inner, bare])
@pytest.mark.parametrize("claimed", [300 * MIB, 500 * MIB, 1900 * MIB])
def test_a_message_of_100_bytes_that_claims_to_fill_the_memory_does_not_end_kafka(
    stack: Stack, gateway: Gateway, packed: Callable[[int], bytes], claimed: int
) -> None:
    before = kafka_pid(stack)
    with closing(Wire(stack)) as wire:
        wire.login(gateway)
        assert wire.produce(inbox_of(gateway.name), SNAPPY, packed(claimed)) != 0
    assert kafka_pid(stack) == before
    assert ask(stack.access, timeout_s=SOON_S).brokers == ask(gateway.access, timeout_s=SOON_S).brokers == 1


# classes are shipped compiled, since machines that run them have a JRE alone; who changes a source has a JDK
def test_the_compiled_classes_are_what_their_sources_say(stack: Stack, tmp_path: Path) -> None:
    javac = shutil.which("javac")
    found = subprocess.run([javac, "-version"], check=True, capture_output=True, text=True).stdout if javac else "none"
    if not found.startswith("javac 17."):  # another one may write other bytes
        pytest.skip(f"NOT COMPARED WITH THEIR SOURCE: javac 17 is needed (Debian's default-jdk-headless), got {found}")
    library = jars(stack.settings.cache)
    command = [str(javac), "--release", "11", "-g:none", "-proc:none", "-cp", f"{library}/*", "-d", str(tmp_path)]
    subprocess.run([*command, *map(str, RESOURCES.glob("*.java"))], check=True)
    assert contents(tmp_path) == contents(CLASSES)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.class")}


@pytest.mark.parametrize("frame", [lambda data: bytes(cramjam.snappy.compress_raw(data)), xerial])
def test_sound_snappy_is_taken_as_ever(stack: Stack, gateway: Gateway, frame: Callable[[bytes], bytes]) -> None:
    value = bytes(range(256)) * 4000 + bytes(2_000_000)  # the second part is packed as far as snappy can
    with closing(Wire(stack)) as wire:
        wire.login(gateway)
        assert wire.produce(inbox_of(gateway.name), SNAPPY, frame(record_of(value))) == 0


def test_requests_that_only_state_their_size_do_not_fill_the_memory(stack: Stack, gateway: Gateway) -> None:
    before = kafka_pid(stack)
    for size in (70 * MIB, GATEWAY_REQUEST_BYTES + 1, -1):
        for _ in range(4):
            with closing(Wire(stack)) as wire:
                wire.login(gateway)
                wire.state(size)
                assert wire.is_cut_off()
    assert ask(gateway.access, timeout_s=SOON_S).brokers == ask(stack.access, timeout_s=SOON_S).brokers == 1
    assert kafka_pid(stack) == before


@pytest.mark.parametrize(
    ("held", "size"), [(2, 70 * MIB), (90, GATEWAY_REQUEST_BYTES)], ids=["two of any size", "many of the largest"]
)
def test_requests_that_are_stated_and_held_stall_neither_us_nor_other_gateways(
    stack: Stack, gateway: Gateway, fresh_topic: Callable[..., str], held: int, size: int
) -> None:
    before = kafka_pid(stack)
    other = f"good-{uuid.uuid4().hex[:8]}"
    good = Gateway(stack, other, let_in(stack.access, other, share=SHARE))
    wires: list[Wire] = []
    try:
        for _ in range(held):
            wires.append(Wire(stack))
            wires[-1].login(gateway)
            wires[-1].state(size)
        with closing(Wire(stack)) as wire:
            wire.login(good)
            assert wire.produce(inbox_of(other), NONE, record_of(bytes(900_000))) == 0
        with Publisher(stack.kafka_config) as publisher:
            publisher.send(fresh_topic("large"), bytes(50 * 10**6), key="U1")
            assert publisher.flush(SOON_S).acked == 1
        assert kafka_pid(stack) == before
    finally:
        for wire in wires:
            wire.close()
        keep_out(stack.access, other)
        with closing(KafkaAdminClient(**stack.access.options())) as admin:
            admin.delete_topics([inbox_of(other)])


@pytest.mark.parametrize("codec", [GZIP, LZ4, ZSTD, 5, 7])
def test_records_packed_by_what_unpacks_a_thousandfold_are_not_taken(
    stack: Stack, gateway: Gateway, codec: int
) -> None:
    sound, packed = batch_of(NONE, record_of(b"{}")), batch_of(codec, bytes(200))
    with closing(Wire(stack)) as wire:
        wire.login(gateway)
        wire.send(wire.request(0, 7, produce_body(inbox_of(gateway.name), sound, packed)))
        assert wire.is_cut_off()
    with closing(Wire(stack)) as wire:
        wire.login(gateway)
        assert wire.produce(inbox_of(gateway.name), NONE, record_of(b"{}")) == 0, "others of it are taken"


def test_a_long_list_of_topics_is_not_taken(stack: Stack, gateway: Gateway) -> None:
    names = b"".join(struct.pack(">h", 3) + b"%03d" % (number % 1000) for number in range(20_000))
    with closing(Wire(stack)) as wire:
        wire.login(gateway)
        with suppress(ConnectionError, ssl.SSLError):  # cut off while it still sends
            wire.send(wire.request(3, 1, struct.pack(">i", 20_000) + names))
        assert wire.is_cut_off()


def test_requests_are_taken_however_tls_cuts_them(stack: Stack, gateway: Gateway) -> None:
    """Pieces of a byte, several requests in one record of TLS, requests of many records, both forms of lengths."""
    rng = random.Random(11)
    inbox = inbox_of(gateway.name)
    topic, messages = topic_id(stack.kafka_config, inbox), 0
    with closing(Wire(stack)) as wire:
        wire.login(gateway)
        sent = b""
        for number in range(60):
            batch = batch_of(NONE, record_of(rng.randbytes(rng.choice((0, 5, 300, 17_000, 120_000)))))
            kind = rng.randrange(3)
            messages += kind < 2
            if kind == 0:
                sent += wire.request(0, 13, produce_13(topic, batch))
            elif kind == 1:
                sent += wire.request(0, 7, produce_body(inbox, batch))
            else:
                sent += wire.request(18, 0, b"")
            if number % 7 == 6:  # no more on its way than both ends hold
                at = 0
                while at < len(sent):
                    size = rng.choice((1, 2, 7, 40, 16_384, 100_000))
                    wire.send(sent[at : at + size])
                    at += size
                sent = b""
        wire.send(sent)
        for _ in range(60):
            wire.answer()
        assert wire.produce(inbox, NONE, record_of(b"{}")) == 0
    assert end_offsets(stack.kafka_config, inbox) == {0: messages + 1}


def test_strangers_fill_the_door_of_gateways_and_neither_the_memory_nor_our_own_door(stack: Stack) -> None:
    before = kafka_pid(stack)
    wires: list[Wire] = []
    most = stack.settings.kafka.gateway_connections
    try:
        for _ in range(most + 5):
            with suppress(OSError):
                wires.append(Wire(stack))
                wires[-1].state(MIB // 2)
            if len(wires) >= most:
                break
        with pytest.raises(OSError, match=r"timed out|reset"):
            Wire(stack, timeout_s=10.0)
        assert ask(stack.access, timeout_s=SOON_S).brokers == 1
    finally:
        for wire in wires:
            wire.close()
    assert kafka_pid(stack) == before
    assert until(lambda: ask(stack.access, timeout_s=SOON_S).brokers == 1, SOON_S)


def test_a_gateway_that_floods_is_made_to_wait_and_nobody_else(stack: Stack, gateway: Gateway) -> None:
    async def took_s(access: KafkaAccess, topic: str, messages: int) -> float:
        producer = AIOKafkaProducer(**access.aio_options())
        try:
            await producer.start()
            began = time.monotonic()
            for _ in range(messages):
                await producer.send_and_wait(topic, bytes(200_000))
            return time.monotonic() - began
        finally:
            await producer.stop()
            await asyncio.sleep(0.1)

    with closing(KafkaAdminClient(**stack.access.options())) as admin:
        give_share(admin, [gateway.name], replace(SHARE, bytes_s=100_000))

    async def both() -> tuple[float, float]:
        flood = asyncio.create_task(took_s(gateway.access, inbox_of(gateway.name), 10))
        await asyncio.sleep(1.0)
        ours_s = await took_s(stack.access, READINGS_TOPIC, 1)
        return await flood, ours_s

    # 2 MB at 100 kB/s over Kafka's window of 11 s: the first 1.1 MB go at once
    flood_s, ours_s = asyncio.run(both())
    assert flood_s > 5.0
    assert ours_s < flood_s / 2, "one message of ours beside ten of it"


def test_shares_and_room_of_gateways_follow_the_settings_at_the_next_up(stack: Stack, gateway: Gateway) -> None:
    assert inbox_configs(stack, gateway.name) == {"retention.bytes": str(SHARE.inbox_bytes)}
    settings = replace(stack.settings, kafka=replace(stack.settings.kafka, inbox_mb=64, gateway_kib_s=10))
    Stack(settings).up(("kafka",))
    try:
        assert until(lambda: inbox_configs(stack, gateway.name) == {"retention.bytes": str(64 * MIB)}, SOON_S)
        assert share_of(settings.kafka) == Share(bytes_s=10_240, percent=50, inbox_bytes=64 * MIB)
    finally:
        stack.up(("kafka",))


def inbox_configs(stack: Stack, name: str) -> dict[str, str]:
    topic = inbox_of(name)
    with closing(KafkaAdminClient(**stack.access.options())) as admin:
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic, ["retention.bytes"])])
    return {key: config["value"] for key, config in found["topic"][topic].items()}


ANYTHING = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
FORBIDDEN: dict[str, Callable[[KafkaAdminClient, str], object]] = {
    "make a topic": lambda admin, _: admin.create_topics([NewTopic("metering.inbox.another", 1, 1)]),
    "delete readings": lambda admin, _: admin.delete_topics([READINGS_TOPIC]),
    "delete its inbox": lambda admin, own: admin.delete_topics([own]),
    "empty its inbox": lambda admin, own: admin.delete_records({TopicPartition(own, 0): -1}),
    "part its inbox": lambda admin, own: admin.create_partitions({own: 4}),
    "keep its inbox for ever": lambda admin, own: admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, own, {"retention.ms": "-1"})],
        raise_on_unknown=False,
        incremental=True,
    ),
    "set the broker": lambda admin, _: admin.alter_configs(
        [ConfigResource(ConfigResourceType.BROKER, "1", {"log.retention.ms": "1000"})],
        raise_on_unknown=False,
        incremental=True,
    ),
    "become the owner": lambda admin, _: admin.alter_user_scram_credentials(
        [UserScramCredentialUpsertion(user_of("admin"), ScramMechanism.SCRAM_SHA_512, b"guessed")]
    ),
    "take a right": lambda admin, own: admin.create_acls(
        [
            ACL(
                f"User:{own.rpartition('.')[2]}",
                "*",
                ACLOperation.ALL,
                ACLPermissionType.ALLOW,
                ResourcePattern(ResourceType.TOPIC, READINGS_TOPIC),
            )
        ]
    ),
    "see rights": lambda admin, _: admin.describe_acls(
        ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, ANYTHING)
    ),
    "see the group": lambda admin, _: admin.describe_groups([GROUP]),
    "delete the group": lambda admin, _: admin.delete_groups([GROUP]),
    "see admission": lambda admin, _: admin.describe_transactions([ADMISSION_GROUP]),
    "lift its share": lambda admin, own: give_share(admin, [own.rpartition(".")[2]], replace(SHARE, bytes_s=10**9)),
    "see the quorum": lambda admin, _: admin.describe_metadata_quorum(),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_gateway_may_not(stack: Stack, gateway: Gateway, what: str) -> None:
    before = inbox_configs(stack, gateway.name)
    with closing(KafkaAdminClient(**gateway.access.options())) as admin:
        try:
            answer = str(FORBIDDEN[what](admin, inbox_of(gateway.name)))
        except KafkaError as error:
            answer = repr(error)
        assert re.search(r"(?i)authoriz|needs \w+ permission", answer), answer
        assert admin.list_topics() == [inbox_of(gateway.name)]
        assert admin.list_groups() == []
    assert inbox_configs(stack, gateway.name) == before
    assert ask(stack.access, timeout_s=SOON_S).brokers == 1, "its owner still gets in with the password that it had"


@pytest.mark.parametrize("transactional_id", [ADMISSION_GROUP, "its own"])
def test_a_gateway_may_begin_no_transaction(gateway: Gateway, transactional_id: str) -> None:
    async def begin() -> None:
        producer = AIOKafkaProducer(transactional_id=transactional_id, **gateway.access.aio_options())
        try:
            await producer.start()
            await producer.begin_transaction()
        finally:
            with suppress(Exception):
                await asyncio.wait_for(producer.stop(), 3.0)

    with pytest.raises(AioKafkaError, match=transactional_id):
        asyncio.run(begin())


def test_an_open_connection_of_a_gateway_that_is_over_sends_nothing_more(stack: Stack, gateway: Gateway) -> None:
    async def send() -> None:
        producer = AIOKafkaProducer(**gateway.access.aio_options())
        try:
            await producer.start()
            await producer.send_and_wait(inbox_of(gateway.name), b"{}")
            await asyncio.to_thread(keep_out, stack.access, gateway.name)
            for _ in range(600):  # Kafka takes a moment until it knows
                await producer.send_and_wait(inbox_of(gateway.name), b"{}")
                await asyncio.sleep(0.1)
        finally:
            await producer.stop()
            await asyncio.sleep(0.1)

    with pytest.raises(TopicAuthorizationFailedError):
        asyncio.run(send())
