"""A server that answers like a language model, without one: `python -m config.bench.model_server PORT SECONDS`.

Speaks enough of OpenAI's chat protocol for one answer, streamed or not. A process of its own, so that what it costs is
not measured with the workers.
"""

import asyncio
import json
import sys
from typing import Any, Final

PIECES: Final = ('{"label"', ': "', "inv", "oice", '"}')
_USAGE: Final = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Answer one connection's requests, each over so many seconds."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            asked: dict[str, Any] = json.loads(await reader.readexactly(length))
            await _reply(writer, seconds, streamed=bool(asked.get("stream")))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _reply(writer: asyncio.StreamWriter, seconds: float, *, streamed: bool) -> None:
    kind = "text/event-stream" if streamed else "application/json"
    writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
    if streamed:
        for piece in PIECES:
            _chunk(writer, b"data: " + _body({"delta": {"role": "assistant", "content": piece}}) + b"\n\n")
            await writer.drain()
            await asyncio.sleep(seconds / len(PIECES))
        _chunk(writer, b"data: " + _body({"delta": {}, "finish_reason": "stop"}, usage=_USAGE) + b"\n\n")
        _chunk(writer, b"data: [DONE]\n\n")
    else:
        await asyncio.sleep(seconds)
        message = {"role": "assistant", "content": "".join(PIECES)}
        _chunk(writer, _body({"message": message, "finish_reason": "stop"}, usage=_USAGE, kind="chat.completion"))
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def _body(choice: dict[str, Any], *, kind: str = "chat.completion.chunk", **more: Any) -> bytes:
    whole = {"id": "1", "object": kind, "created": 1, "model": "stub", "choices": [{"index": 0, **choice}], **more}
    return json.dumps(whole).encode()


def _chunk(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")


async def serve(port: int, seconds: float) -> None:
    """Serve for ever; says its port when it listens."""
    server = await asyncio.start_server(lambda r, w: answer(r, w, seconds), "127.0.0.1", port, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
