"""How a program elsewhere says what came of a call: one JSON shape for external workers and remote agents."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from agents.types import Completed, Failed, NeedsApproval, Usage

_PLAIN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=_PLAIN)]
Code = Annotated[str, StringConstraints(max_length=50, pattern=r"^[^\x00-\x1f\x7f]*$")]


class UsageIn(BaseModel):
    """What the call consumed; cost in US dollars."""

    tokens_in: int = Field(0, ge=0, le=10**9)
    tokens_out: int = Field(0, ge=0, le=10**9)
    cost: float = Field(0, ge=0, le=10**6)


class FailureIn(BaseModel):
    """transient: try again; permanent: trying again cannot help; business: the world says no."""

    kind: Literal["transient", "permanent", "business"]
    code: Code = ""
    message: Sentence
    retry_after: float | None = Field(None, ge=0, le=86400)


class QuestionIn(BaseModel):
    """Ask people before going on: approved, the call is handed out again with the answer among its `approvals`."""

    action: dict[str, Any] = Field(description="What you want to do, with its arguments. Send the same again later.")
    reason: Sentence
    proposal: dict[str, Any] = Field({}, description="What people see, may edit and send back as the answer.")


class AnswerIn(BaseModel):
    """How a call ended: exactly one of output, failure, question."""

    output: dict[str, Any] | None = None
    confidence: float | None = Field(None, description="0 to 1.")
    usage: UsageIn = Field(default_factory=lambda: UsageIn.model_validate({}))
    failure: FailureIn | None = None
    question: QuestionIn | None = None

    @model_validator(mode="after")
    def _only_one(self) -> "AnswerIn":
        if sum(found is not None for found in (self.output, self.failure, self.question)) != 1:
            raise ValueError("send exactly one of output, failure and question")
        return self

    def said(self) -> Completed | NeedsApproval | Failed:
        """As an agent in this process would have returned it; not yet checked."""
        usage = Usage(**self.usage.model_dump())
        if self.output is not None:
            return Completed(self.output, self.confidence, usage)
        if self.question is not None:
            asked = self.question
            return NeedsApproval(asked.action, asked.reason, asked.proposal, self.confidence, usage=usage, resume=True)
        assert self.failure is not None
        failed = self.failure
        return Failed(failed.kind, failed.code or failed.kind, failed.message, 0, failed.retry_after, usage)
