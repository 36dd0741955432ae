"""What is refused about prompts. The docstring is the message, `status` the answer's HTTP status."""

from typing import ClassVar

from agents.errors import AgentsError


class PromptError(AgentsError):
    """The prompt was refused."""

    status: ClassVar[int] = 409


class PromptUnknown(PromptError):
    """There is no prompt {ref}; see /agents/prompts/ for those that there are."""

    code = "prompt_unknown"
    status = 404


class PromptInvalid(PromptError):
    """The prompt cannot be used: {problem}; correct its {field}."""

    code = "prompt_invalid"
    status = 422


class PromptFixed(PromptError):
    """Version {number} of {name} is {status} and no longer changes; start a draft from it."""

    code = "prompt_fixed"


class PromptMoved(PromptError):
    """Somebody changed version {number} of {name} after you read it; look at it again."""

    code = "prompt_moved"


class OwnPrompt(PromptError):
    """You wrote part of version {number} of {name}; somebody else has to review it."""

    code = "own_prompt"
    status = 403


class EvidenceMissing(PromptError):
    """Version {number} of {name} has no passing evaluation newer than its last change; evaluate it and publish then."""

    code = "evidence_missing"


class PromptRight(PromptError):
    """You may not {verb}; ask an administrator for the right."""

    code = "not_permitted"
    status = 403
