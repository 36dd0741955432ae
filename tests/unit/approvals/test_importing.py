"""A file of answers: what is read of it, and the sentence for what cannot be."""

import pytest

from approvals.importing.reading import MOST_LINES, FileUnreadable, read


def test_json_lines_and_csv_name_a_run_a_step_and_the_answer():
    (said,) = read(b'{"run": 12, "step": "check", "answer": {"ok": true}}\n')
    (cells,) = read(b"run;step;amount\r\n12;check;1,5\r\n")
    (named,) = read("\ufeffcorrelation_id,step,word\nINC-7,check,ja\n".encode())

    assert (said.run, said.step, said.answer, said.typed) == (12, "check", {"ok": True}, None)
    assert (cells.run, cells.typed) == (12, {"amount": "1,5"})
    assert (named.run, named.correlation_id, named.typed) == (None, "INC-7", {"word": "ja"})


def test_cell_with_a_line_break_keeps_it_and_lines_are_counted_as_the_file_counts_them():
    (first, second) = read(b'run,step,why\n1,a,"two\nlines"\n2,b,one\n')
    assert (first.typed, second.number) == ({"why": "two\nlines"}, 4)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "no answer", id="empty"),
        pytest.param(b"\xff\xfe", "UTF-8", id="another encoding"),
        pytest.param(b"run,when\n1,2\n", "step", id="no step"),
        pytest.param(b"run,step,step\n1,a,b\n", "once", id="a column twice"),
        pytest.param(b"run,step\n1,a,b\n", "more cells", id="too many cells"),
        pytest.param(b"run,step\nx,a\n", "no number", id="no number"),
        pytest.param(b"run,step\n,a\n", "neither", id="no run"),
        pytest.param(b"run,step\n1, \n", "no step", id="a blank step"),
        pytest.param(b'{"run": 1', "not JSON", id="broken JSON"),
        pytest.param(b'{"run": 1, "step": "a", "answer": 3}', "object", id="no object"),
        pytest.param(b'{"run": 1, "step": "a", "answer": {}, "force": true}', "force", id="more than is known"),
        pytest.param(b"run,step\n" + b"1,a\n" * (MOST_LINES + 1), "in parts", id="too many"),
    ],
)
def test_what_cannot_be_read_is_said_by_its_line(content, words):
    with pytest.raises(FileUnreadable, match=words) as flaw:
        read(content)
    assert "Line" in str(flaw.value)
