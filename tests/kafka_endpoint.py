"""A Kafka endpoint for tests: librdkafka's own mock cluster, of the confluent-kafka wheel, as a program of its own.

It speaks the protocol (metadata, idempotent producers, consumer groups, offsets) and keeps everything in memory. It
chooses its port itself, so what a test is given is another one, at which clients learn the real one. Only the public
functions of `rdkafka_mock.h` are used.

Usage: python tests/kafka_endpoint.py PORT
"""

import asyncio
import ctypes
import sys
from importlib.util import find_spec
from pathlib import Path

_POINTER = ctypes.c_void_p


def mock_cluster() -> int:
    """Start a cluster of one broker in this process and return its port."""
    import confluent_kafka  # noqa: F401 - loads the library's own dependencies

    found = find_spec("confluent_kafka")
    assert found is not None
    assert found.origin is not None
    library = ctypes.CDLL(str(next(Path(found.origin).parents[1].glob("confluent_kafka.libs/librdkafka-*.so*"))))
    library.rd_kafka_new.restype = library.rd_kafka_mock_cluster_new.restype = _POINTER
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    problem = ctypes.create_string_buffer(512)
    handle = _POINTER(library.rd_kafka_new(0, None, problem, len(problem)))
    cluster = _POINTER(library.rd_kafka_mock_cluster_new(handle, 1))
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, ctypes.c_int32(0))
    return int(library.rd_kafka_mock_cluster_bootstraps(cluster).decode().rpartition(":")[2])


async def serve(port: int, behind: int) -> None:
    """Hand every connection at `port` on to the cluster."""

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", behind)
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
    asyncio.run(serve(int(sys.argv[1]), mock_cluster()))
