"""Ids that stay the same from end to end, and headers that strangers send."""

import pytest

from agents import tracing

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_correlation_id_with_the_form_of_a_traces_is_it() -> None:
    assert tracing.trace_id_of("4bf92f3577b34da6a3ce929d0e0e4736") == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("own", ["order-17", "", "0" * 32, "4BF92F3577B34DA6A3CE929D0E0E4736", "ü" * 100])
def test_any_other_correlation_id_has_a_trace_of_its_own(own: str) -> None:
    found = tracing.trace_id_of(own)

    assert tracing.parse(f"00-{found}-00f067aa0ba902b7-01") == (found, "00f067aa0ba902b7")
    assert found == tracing.trace_id_of(own) != tracing.trace_id_of(f"{own}x")


@pytest.mark.parametrize(
    "header",
    [
        "", "x", GOOD.replace("00-", "ff-", 1), GOOD.upper(), GOOD + "-more", "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01", GOOD[:-1], GOOD + "\n" + GOOD, "0" * 100_000,
    ],
)  # fmt: skip
def test_a_header_that_is_none_is_ignored(header: str) -> None:
    assert tracing.parse(header) is None
    with tracing.opened(header) as trace:
        assert trace.parent_id == ""
        assert tracing.parse(trace.header) == (trace.trace_id, trace.span_id)


def test_headers_of_later_versions_are_read_as_far_as_they_are_known() -> None:
    assert tracing.parse("01" + GOOD[2:] + "-what-comes") == (GOOD[3:35], GOOD[36:52])


def test_what_a_call_sends_names_the_span_that_will_be_told_of() -> None:
    assert tracing.of_call("", "task-5-0", 1) == ""
    trace, span = tracing.parse(tracing.of_call("order-17", "task-5-0", 2)) or ("", "")
    assert (trace, span) == (tracing.trace_id_of("order-17"), tracing.span_id_of("attempt", 5, 2))
    assert (tracing.parse(tracing.of_call("order-17", "task-5-0.pay")) or ("", ""))[1] == tracing.span_id_of("task", 5)


def test_a_trace_ends_with_its_work() -> None:
    with tracing.opened(GOOD, recorded=False) as trace:
        assert tracing.current() is trace
        assert trace.header == GOOD  # nobody records a span here: the caller's own goes on
    assert tracing.current() is None
