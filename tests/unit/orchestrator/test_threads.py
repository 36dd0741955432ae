"""A shift's end closes the connections of its threads, also while one of them is held up."""

import threading

from orchestrator.engine import threads


def test_close_does_not_fail_because_a_thread_is_busy(monkeypatch):
    monkeypatch.setattr(threads, "_TOGETHER_S", 0.05)
    let_go = threading.Event()
    busy = threads._database_threads().submit(let_go.wait, 60)

    try:
        threads.close()

        assert not busy.done()
    finally:
        let_go.set()
    assert busy.result(timeout=10)
