"""A Kafka endpoint for tests: librdkafka's own mock cluster, of the confluent-kafka wheel, as a program of its own.

It speaks the protocol (metadata, idempotent producers, consumer groups, offsets) and keeps everything in memory. It
chooses its ports itself, so what a test is given is another one, at which clients learn the real ones. Only the public
functions of `rdkafka_mock.h` are used.

Usage: python tests/kafka_endpoint.py PORT [BROKERS]. On SIGUSR1 the first broker, which leads everything until then,
dies for good, and the second one leads.
"""

import asyncio
import ctypes
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

_POINTER = ctypes.c_void_p
TOPIC, GROUP, PARTITIONS = b"watchkeeper.messages", b"watchkeeper", 4


class Cluster:
    """A mock cluster in this process."""

    def __init__(self, brokers: int) -> None:
        self._library = _library()
        problem = ctypes.create_string_buffer(512)
        handle = _POINTER(self._library.rd_kafka_new(0, None, problem, len(problem)))
        self._cluster = _POINTER(self._library.rd_kafka_mock_cluster_new(handle, brokers))
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, ctypes.c_int32(0))
        found = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self.ports = [int(address.rpartition(":")[2]) for address in found.split(",")]
        self.leader = 1
        if brokers > 1:
            self._library.rd_kafka_mock_topic_create(self._cluster, TOPIC, PARTITIONS, brokers)
            self._lead(1)

    @property
    def port(self) -> int:
        """The leader's."""
        return self.ports[self.leader - 1]

    def fail_over(self) -> None:
        """The first broker dies."""
        self._library.rd_kafka_mock_broker_set_down(self._cluster, 1)
        self._lead(2)

    def _lead(self, broker: int) -> None:
        for partition in range(PARTITIONS):
            self._library.rd_kafka_mock_partition_set_leader(self._cluster, TOPIC, partition, broker)
        self._library.rd_kafka_mock_coordinator_set(self._cluster, b"group", GROUP, broker)
        self.leader = broker


def _library() -> ctypes.CDLL:
    import confluent_kafka  # noqa: F401 - loads the library's own dependencies

    found = find_spec("confluent_kafka")
    assert found is not None
    assert found.origin is not None
    library = ctypes.CDLL(str(next(Path(found.origin).parents[1].glob("confluent_kafka.libs/librdkafka-*.so*"))))
    library.rd_kafka_new.restype = library.rd_kafka_mock_cluster_new.restype = _POINTER
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


async def serve(port: int, cluster: Cluster) -> None:
    """Hand every connection at `port` on to whoever leads the cluster."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, cluster.fail_over)

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", cluster.port)
        await asyncio.gather(_copy(reader, ours), _copy(theirs, writer))

    async with await asyncio.start_server(hand_on, "127.0.0.1", port) as server:
        await server.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Cluster(int(sys.argv[2]) if len(sys.argv) > 2 else 1)))
