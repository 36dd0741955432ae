"""REST v1: give many steps their answers at once, as from a file."""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from approvals.errors import NotPermitted
from approvals.importing.carrying import Result, carry_out
from approvals.importing.reading import MOST_LINES, line_of
from approvals.importing.views import may_import
from orchestrator.api_errors import ERRORS, Note, caller

answer_routes = Router(tags=["Answers"])


class AnswersIn(Schema):
    """What was done of steps that wait: manual work, calls back, signals."""

    reason: Note = Field(min_length=1, description="Where the answers come from.")
    answers: list[dict[str, Any]] = Field(
        min_length=1, max_length=MOST_LINES, description="Each with run or correlation_id, step, and an object answer."
    )


class ResultOut(Schema):
    """What became of one answer."""

    number: int
    state: Literal["done", "fits", "refused"]
    message: str
    run: int | None
    task: int | None

    @staticmethod
    def of(result: Result) -> "ResultOut":
        """From a result."""
        return ResultOut(
            number=result.line.number, state=result.state, message=result.words, run=result.run, task=result.task
        )


@answer_routes.post("", response={200: list[ResultOut], **ERRORS}, summary="Give steps their answers")
def give_answers(
    request: HttpRequest,
    given: AnswersIn,
    check: Annotated[bool, Query(description="Say what would become of each, and do nothing.")] = False,
) -> list[ResultOut]:
    """Each by itself, checked like any answer: one that is refused keeps no other from its step."""
    user = caller(request)
    if not may_import(user):
        raise NotPermitted(verb="give answers")
    lines = [line_of(number, said) for number, said in enumerate(given.answers, 1)]
    return [ResultOut.of(one) for one in carry_out(lines, by=user, reason=given.reason, only_check=check)]
