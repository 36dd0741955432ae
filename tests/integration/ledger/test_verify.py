"""Whatever the owner of the database does to sealed rows, the verifier says where."""

import hmac
import importlib.util
import io
import json
from contextlib import contextmanager

import pytest
from django.core.management import call_command

from orchestrator import anchors, ledger, signing
from orchestrator.sequencer import seal_all
from tests.event_log import append

pytestmark = pytest.mark.django_db(transaction=True)
TABLES = ("orchestrator_event", "orchestrator_ledger")


@contextmanager
def as_vandal(connection):
    """The owner can switch the triggers off."""
    for table in TABLES:
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield connection.execute
    for table in TABLES:
        connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@pytest.fixture
def ids(writer):
    """Ten sealed events with a signed anchor at position 6."""
    found = [append(writer, run_id=run_id) for run_id in range(1, 7)]
    seal_all(writer)
    anchor_here(writer)
    found += [append(writer, run_id=run_id) for run_id in range(7, 11)]
    seal_all(writer)
    return found


def anchor_here(connection) -> None:
    pos, digest = connection.execute("SELECT pos, hash FROM orchestrator_ledger ORDER BY pos DESC LIMIT 1").fetchone()
    (database,) = connection.execute(anchors.WHICH_DATABASE).fetchone()
    anchors.write(database, pos, digest.hex())


def reseal(connection) -> None:
    """Rewrite the whole ledger so that its chain holds again."""
    connection.execute("DELETE FROM orchestrator_ledger")
    connection.execute("UPDATE orchestrator_ledger_mark SET low = 0")
    seal_all(connection)


def test_verify_of_an_untouched_ledger_finds_nothing(ids):
    result = ledger.verify()

    assert (result.checked, result.anchors, result.head, result.fault) == (10, 1, 10, None)


@pytest.mark.parametrize(
    ("vandalism", "pos"),
    [
        pytest.param("UPDATE orchestrator_event SET actor = 'mallory' WHERE id = %(id3)s", 3, id="edit"),
        pytest.param("UPDATE orchestrator_event SET at = at + interval '1 us' WHERE id = %(id4)s", 4, id="edit-time"),
        pytest.param("UPDATE orchestrator_event SET data = '{}' WHERE id = %(id5)s", 5, id="edit-data"),
        pytest.param("DELETE FROM orchestrator_event WHERE id = %(id5)s", 5, id="delete-event"),
        pytest.param("DELETE FROM orchestrator_ledger WHERE pos = 5", 5, id="delete-row"),
        pytest.param("DELETE FROM orchestrator_ledger WHERE pos = 1", 1, id="delete-first"),
        pytest.param("UPDATE orchestrator_ledger SET hash = prev_hash WHERE pos = 7", 7, id="edit-hash"),
        pytest.param("UPDATE orchestrator_ledger SET prev_hash = hash WHERE pos = 8", 8, id="edit-prev-hash"),
        pytest.param("DELETE FROM orchestrator_ledger WHERE pos > 4", 5, id="truncate-below-anchor"),
        pytest.param("DELETE FROM orchestrator_ledger", 1, id="truncate-all"),
    ],
)
def test_verify_after_vandalism_names_the_first_bad_position(ids, writer, vandalism, pos):
    with as_vandal(writer) as execute:
        execute(vandalism, {f"id{n}": event_id for n, event_id in enumerate(ids, start=1)})

    fault = ledger.verify().fault

    assert fault is not None
    assert fault.pos == pos


def test_verify_after_two_events_changed_places_names_the_first(ids, writer):
    with as_vandal(writer) as execute:
        execute("UPDATE orchestrator_ledger SET event_id = -1 WHERE pos = 4")
        execute("UPDATE orchestrator_ledger SET event_id = %s WHERE pos = 8", [ids[3]])
        execute("UPDATE orchestrator_ledger SET event_id = %s WHERE pos = 4", [ids[7]])

    assert ledger.verify().fault.pos == 4


def test_verify_after_a_full_rewrite_is_caught_by_the_anchor(ids, writer):
    with as_vandal(writer) as execute:
        execute("UPDATE orchestrator_event SET actor = 'mallory' WHERE id = %s", [ids[2]])
        reseal(writer)

    fault = ledger.verify().fault

    assert fault.pos == 1
    assert "rewritten" in fault.problem


def test_verify_after_a_rewrite_between_two_anchors_names_the_last_good_one(ids, writer):
    anchor_here(writer)
    with as_vandal(writer) as execute:
        execute("UPDATE orchestrator_event SET actor = 'mallory' WHERE id = %s", [ids[8]])
        reseal(writer)

    assert ledger.verify().fault.pos == 7


def test_verify_with_a_forged_anchor_says_so(ids, data_dir):
    (path,) = (data_dir / "anchors").rglob("*.jsonl")
    path.write_text(path.read_text().replace('"pos": 6', '"pos": 5'))

    assert "signature" in ledger.verify().fault.problem


def test_verify_with_an_event_the_sequencer_passed_over_says_so(ids, writer):
    with as_vandal(writer) as execute:
        execute("DELETE FROM orchestrator_ledger WHERE pos = 10")

    assert ledger.verify().fault.pos == 10


def test_verify_ledger_command_exits_1_and_names_the_position(ids, writer, capsys):
    with as_vandal(writer) as execute:
        execute("UPDATE orchestrator_event SET actor = 'mallory' WHERE id = %s", [ids[2]])
    out = io.StringIO()

    with pytest.raises(SystemExit, match="1"):
        call_command("verify_ledger", json=True, stdout=out)

    assert json.loads(out.getvalue())["fault"]["pos"] == 3


@pytest.fixture
def offline(request):
    spec = importlib.util.spec_from_file_location(
        "verify_export", request.config.rootpath / "docs" / "verify_export.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_export_of_an_untouched_ledger_verifies_offline_with_anchors(ids, writer, offline, tmp_path, data_dir, capsys):
    append(writer, kind="run.paused")
    data = json.dumps({"reason": "„Ruhe“\n\x1f \\ 1.50", "n": 1.5})
    writer.execute("SELECT append_event('run.paused', 'user:zoë', 1, 2, %s::jsonb)", [data])
    seal_all(writer)
    file = tmp_path / "export.jsonl"
    file.write_bytes(b"".join(ledger.export()))
    (signed,) = (data_dir / "anchors").rglob("*.jsonl")

    code = offline.main([str(file), "--anchors", str(signed), "--public-key", str(data_dir / "signing.pub")])

    assert code == 0
    assert "12 events hold, 1 anchors agree" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        pytest.param({"at": "2020-01-01T00:00:00+00:00"}, "false signature", id="another time"),
        pytest.param({"key": "ab" * 32}, "a key that is not yours", id="another key"),
    ],
)
def test_anchor_that_was_forged_is_found_offline_and_here(ids, offline, tmp_path, data_dir, capsys, forge, said):
    file = tmp_path / "export.jsonl"
    file.write_bytes(b"".join(ledger.export()))
    (signed,) = (data_dir / "anchors").rglob("*.jsonl")
    signing.public_key()
    signing.known_keys()
    signed.write_text(json.dumps({**json.loads(signed.read_text()), **forge}) + "\n")

    code = offline.main([str(file), "--anchors", str(signed), "--public-key", str(data_dir / "signing.pub")])

    assert (code, said in capsys.readouterr().out) == (1, True)
    assert "false signature" in str(ledger.verify().fault)


def test_anchor_of_an_earlier_release_still_counts(ids, data_dir):
    (signed,) = (data_dir / "anchors").rglob("*.jsonl")
    (data_dir / "anchor.key").write_text("11" * 32)
    anchor = json.loads(signed.read_text())
    body = f"{anchor['pos']}|{anchor['hash']}|{anchor['at']}".encode()
    anchor["signature"] = hmac.new(bytes.fromhex("11" * 32), body, "sha256").hexdigest()
    del anchor["key"]
    signed.write_text(json.dumps(anchor) + "\n")

    assert (ledger.verify().anchors, ledger.verify().fault) == (1, None)
    (data_dir / "anchor.key").write_text("22" * 32)
    assert "false signature" in str(ledger.verify().fault)


def test_key_that_the_setting_names_signs_and_the_one_before_still_counts(ids, settings, monkeypatch, data_dir):
    before = signing.public_key()
    monkeypatch.setenv("WATCHKEEPER_TEST_SEED", "5a" * 32)
    settings.SIGNING_KEY = "env:WATCHKEEPER_TEST_SEED"

    assert signing.known_keys()[-1] != before
    assert ledger.verify().fault is None

    settings.SIGNING_KEY = "file:/nowhere/at/all"
    with pytest.raises(signing.SigningKeyUnusable, match="there is no file"):
        signing.public_key()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param('"run_id":4', '"run_id":5', "position 4", id="edited"),
        pytest.param('"pos":4', '"pos":40', "position 4 is missing", id="missing"),
    ],
)
def test_export_that_was_changed_is_broken_offline(ids, offline, tmp_path, capsys, old, new, said):
    file = tmp_path / "export.jsonl"
    file.write_text(b"".join(ledger.export()).decode().replace(old, new))

    assert offline.main([str(file)]) == 1
    assert said in capsys.readouterr().out


def test_export_that_was_cut_is_broken_by_its_anchor(ids, offline, tmp_path, data_dir, capsys):
    file = tmp_path / "export.jsonl"
    file.write_bytes(b"".join(ledger.export(last=3)))
    (signed,) = (data_dir / "anchors").rglob("*.jsonl")

    assert offline.main([str(file), "--anchors", str(signed)]) == 1
    assert "ends at position 3" in capsys.readouterr().out


def test_after_returns_a_page_in_order(ids):
    assert [event.id for event in ledger.after(3, limit=2)] == ids[3:5]
