"""What a gateway that means harm can do to our Kafka, and a stranger at its door: against the real broker."""

import asyncio
import base64
import hashlib
import hmac
import itertools
import os
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
from deploy.stack.jars import RESOURCES
from deploy.stack.kafka_gateways import keep_out, let_in
from deploy.stack.kafka_probe import ask
from deploy.stack.kafka_quotas import Share, give_share, share_of
from deploy.stack.processes import until
from ingest.gateway.access import inbox_of
from ingest.kafka.publisher import create_topics
from ingest.kafka_access import KafkaAccess
from ingest.wire import READINGS_TOPIC
from streams.config import ADMISSION_GROUP, GROUP

pytestmark = pytest.mark.integration

SHARE = share_of(KafkaSettings())
MIB = 1 << 20
SNAPPY = 2


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
    keep_out(stack.access, name)
    with closing(KafkaAdminClient(**stack.access.options())) as admin:
        admin.delete_topics([inbox_of(name)])


class Wire:
    """A connection to the door of gateways, over which any bytes can be sent."""

    def __init__(self, stack: Stack) -> None:
        kafka = stack.settings.kafka
        context = ssl.create_default_context(cafile=str(kafka.gateway_certificate))
        plain = socket.create_connection(("127.0.0.1", kafka.gateway_port), 10.0)
        self._numbers = itertools.count()
        try:
            self._socket = context.wrap_socket(plain, server_hostname="127.0.0.1")
        except OSError:
            plain.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def state(self, size: int) -> None:
        """Say that so many bytes come, and send ten."""
        self._socket.sendall(struct.pack(">i", size) + bytes(10))

    def ask(self, key: int, version: int, body: bytes) -> bytes:
        head = struct.pack(">hhih", key, version, next(self._numbers), -1)
        self._socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        (size,) = struct.unpack(">i", self._exactly(4))
        return self._exactly(size)[4:]

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
        after = struct.pack(">hiqqqhii", codec, 0, 0, 0, -1, -1, -1, 1) + packed
        batch = struct.pack(">qiibI", 0, len(after) + 9, 0, 2, calc_crc32c(after)) + after
        name = topic.encode()
        body = struct.pack(">hhiih", -1, 1, 30_000, 1, len(name)) + name + struct.pack(">iii", 1, 0, len(batch)) + batch
        answer = self.ask(0, 7, body)
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


def kafka_pid(stack: Stack) -> tuple[int, ...]:
    return next(part for part in stack.status() if part.name == "kafka").pids


def varint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


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
    assert ask(stack.access).brokers == ask(gateway.access).brokers == 1


# the class is shipped compiled, since machines that run it have a JRE alone; who changes its source has a JDK
@pytest.mark.skipif(
    shutil.which("javac") is None, reason="NOT COMPARED WITH ITS SOURCE: no javac here (Debian's default-jdk-headless)"
)
def test_the_compiled_class_is_what_its_source_says(stack: Stack, tmp_path: Path) -> None:
    (library,) = stack.settings.cache.glob("kafka-*/snappy-java-*.jar")
    command = ["javac", "--release", "11", "-g:none", "-proc:none", "-cp", str(library), "-d", str(tmp_path)]
    subprocess.run([*command, str(RESOURCES / "SnappyInputStream.java")], check=True)
    made = tmp_path / "org/xerial/snappy/SnappyInputStream.class"
    assert made.read_bytes() == (RESOURCES / "SnappyInputStream.class").read_bytes()


@pytest.mark.parametrize("frame", [lambda data: bytes(cramjam.snappy.compress_raw(data)), xerial])
def test_sound_snappy_is_taken_as_ever(stack: Stack, gateway: Gateway, frame: Callable[[bytes], bytes]) -> None:
    value = bytes(range(256)) * 4000 + bytes(2_000_000)  # the second part is packed as far as snappy can
    record = b"\0\0\0\1" + varint(2 * len(value)) + value + b"\0"
    with closing(Wire(stack)) as wire:
        wire.login(gateway)
        assert wire.produce(inbox_of(gateway.name), SNAPPY, frame(varint(2 * len(record)) + record)) == 0


def test_requests_that_only_state_their_size_do_not_fill_the_memory(stack: Stack, gateway: Gateway) -> None:
    before = kafka_pid(stack)
    wires: list[Wire] = []
    try:
        for _ in range(12):
            with suppress(OSError, EOFError):  # while there is no room, nobody is served
                wire = Wire(stack)
                wires.append(wire)
                wire.login(gateway)
                wire.state(70 * MIB)
    finally:
        for wire in wires:
            wire.close()
    assert until(lambda: ask(gateway.access).brokers == 1 and ask(stack.access).brokers == 1, 20.0)
    assert kafka_pid(stack) == before


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
            Wire(stack)
        assert ask(stack.access).brokers == 1
    finally:
        for wire in wires:
            wire.close()
    assert kafka_pid(stack) == before
    assert until(lambda: ask(stack.access).brokers == 1, 20.0)


def test_a_gateway_that_floods_is_made_to_wait_and_nobody_else(stack: Stack, gateway: Gateway) -> None:
    async def took_s(access: KafkaAccess, topic: str, messages: int) -> float:
        producer = AIOKafkaProducer(**access.aio_options())
        await producer.start()
        try:
            began = time.monotonic()
            for _ in range(messages):
                await producer.send_and_wait(topic, bytes(200_000))
            return time.monotonic() - began
        finally:
            await producer.stop()
            await asyncio.sleep(0.1)

    free_s = asyncio.run(took_s(gateway.access, inbox_of(gateway.name), 8))
    with closing(KafkaAdminClient(**stack.access.options())) as admin:
        give_share(admin, [gateway.name], replace(SHARE, bytes_s=100_000))

    async def both() -> tuple[float, float]:
        flood = asyncio.create_task(took_s(gateway.access, inbox_of(gateway.name), 10))
        await asyncio.sleep(1.0)
        ours_s = await took_s(stack.access, READINGS_TOPIC, 1)
        return await flood, ours_s

    # 2 MB at 100 kB/s over Kafka's window of 11 s: the first 1.1 MB go at once
    flood_s, ours_s = asyncio.run(both())
    assert flood_s > max(5.0, 2 * free_s)
    assert ours_s < 3.0


def test_shares_and_room_of_gateways_follow_the_settings_at_the_next_up(stack: Stack, gateway: Gateway) -> None:
    assert inbox_configs(stack, gateway.name) == {"retention.bytes": str(SHARE.inbox_bytes)}
    settings = replace(stack.settings, kafka=replace(stack.settings.kafka, inbox_mb=64, gateway_kib_s=10))
    Stack(settings).up(("kafka",))
    try:
        assert until(lambda: inbox_configs(stack, gateway.name) == {"retention.bytes": str(64 * MIB)}, 10.0)
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
    assert ask(stack.access).brokers == 1, "its owner still gets in with the password that it had"


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
        await producer.start()
        try:
            await producer.send_and_wait(inbox_of(gateway.name), b"{}")
            await asyncio.to_thread(keep_out, stack.access, gateway.name)
            for _ in range(50):  # Kafka takes a moment until it knows
                await producer.send_and_wait(inbox_of(gateway.name), b"{}")
                await asyncio.sleep(0.1)
        finally:
            await producer.stop()
            await asyncio.sleep(0.1)

    with pytest.raises(TopicAuthorizationFailedError):
        asyncio.run(send())
