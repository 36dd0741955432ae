"""Rows with their relations by one statement that is kept: the same as the ORM reads."""

import pytest
from django.db.models import Model

from approvals.joined import Joined
from approvals.models import Gate
from tests import people

pytestmark = pytest.mark.django_db
WHOLE = Joined(Gate, "run", "task", "queue", where="t0.id = %(pk)s")
FEW = Joined(Gate, "run", where="t0.id = ANY(%(ids)s::bigint[])", only=("title", "run__title"))


def columns(row: Model) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_row_and_relations_are_those_of_the_orm(django_assert_num_queries):
    made = people.gate()
    expected = Gate.objects.select_related("run", "task", "queue").get(pk=made.pk)

    with django_assert_num_queries(1):
        found = WHOLE.first(pk=made.pk)
        assert found is not None
        assert columns(found) == columns(expected)
        assert [columns(row) for row in (found.run, found.task, found.queue)] == [
            columns(row) for row in (expected.run, expected.task, expected.queue)
        ]


def test_relation_that_points_nowhere_is_none(django_assert_num_queries):
    made = people.gate()
    Gate.objects.filter(pk=made.pk).update(task=None, kind="deadline")

    with django_assert_num_queries(1):
        found = WHOLE.first(pk=made.pk)

        assert found is not None
        assert found.task is None


def test_row_that_is_not_there_is_none():
    assert WHOLE.first(pk=0) is None


def test_what_was_left_out_raises_instead_of_asking(django_assert_num_queries):
    made = people.gate()
    title = made.run.title

    with django_assert_num_queries(1):
        (found,) = FEW.fetch(ids=[made.pk])

        assert (found.title, found.run_id, found.run.title) == (made.title, made.run_id, title)
        with pytest.raises(Exception, match="risk"):
            _ = found.risk
        with pytest.raises(Exception, match="status"):
            _ = found.run.status
