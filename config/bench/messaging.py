"""Messages between agents: how many one process sends and reads a second, and how soon a critical one is read."""

import time

from agents.messaging import inbox, sending
from agents.messaging.envelope import Priority, read
from agents.messaging.inbox import Reader
from agents.models import Agent
from config.bench.measure import Result, median_of
from config.bench.plan import Bench

_COUNT = 1000


def messages(bench: Bench) -> Result:
    """1,000 messages sent one by one, each a durable commit; a critical one behind them; all read one by one."""
    count, repeats = bench.scaled(_COUNT), bench.repeats(3)
    with bench.running("messages") as stack:
        Agent.objects.bulk_create([Agent(name=f"bench-{role}", title=role) for role in ("sender", "reader")])
        sent, read, overtook = [], [], []
        for _ in range(repeats):
            began = time.perf_counter()
            for number in range(count):
                _send(number, "normal")
            sent.append(count / (time.perf_counter() - began))
            overtook.append(_overtake(count))
            began = time.perf_counter()
            while inbox.consume(Reader("bench-reader", "bench"), lambda message: None):
                continue
            read.append(count / (time.perf_counter() - began))
        sent_per_s, of_sent = median_of(sent)
        read_per_s, of_read = median_of(read)
        critical_ms, of_critical = median_of(overtook)
        return bench.result(
            stack,
            parameters={"messages": count, "repeats": repeats},
            seconds=count / sent_per_s + count / read_per_s,
            figures={"sent_per_s": sent_per_s, "read_per_s": read_per_s, "critical_ms": critical_ms},
            spread={"sent_per_s": of_sent, "read_per_s": of_read, "critical_ms": of_critical},
            basis_ms=1000 / sent_per_s,
        )


def _send(number: int, priority: Priority) -> None:
    told = read(
        {
            "agent_id": "bench-sender",
            "message_type": "TASK",
            "payload": {"n": number},
            "to": "bench-reader",
            "priority": priority,
        }
    )
    sending.send(told, sender="agent:bench-sender")


def _overtake(queued: int) -> float:
    """Milliseconds from before a critical message is sent until it has been read, while `queued` others wait."""
    began = time.perf_counter()
    _send(queued, "critical")
    first: list[object] = []
    inbox.consume(Reader("bench-reader", "bench"), lambda message: first.append(message.priority))
    assert first == ["critical"]
    return (time.perf_counter() - began) * 1000
