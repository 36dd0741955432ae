"""What agents raise and what this app refuses. The docstring is the message; facts are attributes."""

from collections.abc import Callable, Mapping
from typing import ClassVar


class _Language:
    """What puts docstrings into the language of whoever is served; `agents.apps` names it, for this module is pure."""

    translate: Callable[[str], str] = str


def speak(translate: Callable[[str], str]) -> None:
    """Let errors be worded by `translate` from now on."""
    _Language.translate = translate


def worded(error: type[Exception], facts: Mapping[str, object]) -> str:
    """An error's docstring with its facts."""
    return (_Language.translate(error.__doc__) if error.__doc__ else "").format(**facts)


class AgentFailure(Exception):
    """Raised by agent code to say how it failed. `message` is one sentence for a person, without secrets."""

    kind: ClassVar[str] = ""
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, code: str = "", retry_after: float | None = None) -> None:
        self.message = message
        self.code = code or self.kind
        self.retry_after = retry_after
        super().__init__(message)


class Transient(AgentFailure):
    """Trying again may help: a busy service, a lost connection."""

    kind = "transient"
    retryable = True


class Permanent(AgentFailure):
    """Trying again with the same input cannot help."""

    kind = "permanent"


class Business(AgentFailure):
    """The agent works, but the world says no: an account is closed, a record does not exist."""

    kind = "business"


class AgentsError(Exception):
    """Something was refused."""

    code: ClassVar[str] = "refused"
    retryable: ClassVar[bool] = False

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(worded(type(self), facts))


class EffectUnknown(AgentsError):
    """Effect {key!r} was sent by an earlier attempt and its result was never recorded; reconcile it before going on."""

    code = "effect_unknown"


class StateStale(AgentsError):
    """State {key!r} is at version {version}, written by {writer}; you saw {expected}: read it again."""

    code = "state_stale"
    retryable = True


class StateRefused(AgentsError):
    """State {key!r} was not written: {problem}."""

    code = "state_refused"


class CheckpointRefused(AgentsError):
    """The checkpoint was not made, because of {field}: {problem}."""

    code = "checkpoint_refused"


class AttemptOver(AgentsError):
    """This attempt has been ended or replaced; nothing that it writes counts any more."""

    code = "attempt_over"
    retryable = True


class AgentNotFound(AgentsError):
    """There is no agent {name!r} version {version}; register it, or check INSTALLED_APPS and the spelling."""

    code = "agent_not_found"


class DuplicateAgent(AgentsError):
    """Agent {name!r} version {version} is registered at {first} and again at {second}; renumber one of them."""

    code = "duplicate_agent"


class InvalidRegistration(AgentsError):
    """Agent {name!r} cannot be registered: {problem}."""

    code = "invalid_registration"


class VersionChanged(AgentsError):
    """Agent {name!r} version {version} changed its {changed} after it was recorded; give the change version={next}."""

    code = "version_changed"


class InvalidContract(AgentsError):
    """The contract is not a usable JSON Schema at {path}: {problem}."""

    code = "invalid_contract"


class ContractViolation(AgentsError):
    """{path}: {problem}"""

    code = "contract"

    def __init__(self, *, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(path=path, problem=problem)


class OutputRejected(AgentsError):
    """{path}: {problem}"""

    def __init__(self, *, reason: str, path: str, problem: str) -> None:
        self.reason = reason  # stable: not_finite, number_too_large, too_deep, too_large, duplicate_key, not_json
        self.path = path
        self.problem = problem
        super().__init__(path=path, problem=problem)


class ProcessDied(AgentsError):
    """The agent's process ended with {status} before it answered."""

    code = "process_died"
    retryable = True


class ToolRefused(AgentsError):
    """A call of a tool did not happen; subclasses say why."""

    code = "tool_refused"


class ToolUnknown(ToolRefused):
    """There is no tool {tool}; register it with @tool and run sync_agents, or correct the name."""

    code = "tool_unknown"


class ToolArgumentsInvalid(ToolRefused):
    """The arguments of {tool} are refused at {path}: {problem}."""

    code = "tool_arguments"


class ToolDenied(ToolRefused):
    """{agent} may not call {tool}: {why}; {remedy}."""

    code = "tool_denied"


class SecretRefused(ToolRefused):
    """The call of {tool} names the secret {name!r}, which {problem}."""

    code = "tool_secret"


class ToolNeedsApproval(ToolRefused):
    """{tool} waits for a person's approval; this attempt is over, and the same call goes through once approved."""

    code = "tool_needs_approval"


class ToolBusy(ToolRefused):
    """{tool} was not called: {why}; try again in {seconds:g} seconds."""

    code = "tool_busy"
    retryable = True


class ToolFailed(ToolRefused):
    """{tool} failed: {problem}."""

    code = "tool_failed"
    retryable = True


class ToolResultInvalid(ToolRefused):
    """{tool} answered something that breaks its own contract at {path}: {problem}."""

    code = "tool_result"


class PolicyInvalid(AgentsError):
    """The policy is refused: {problems}."""

    code = "policy_invalid"


class GuardRefused(AgentsError):
    """{path}: {problem}"""

    code = "guard_refused"

    def __init__(self, *, rule: str, path: str, problem: str) -> None:
        self.rule = rule  # secret, injection
        super().__init__(rule=rule, path=path, problem=problem)


class ConsentMissing(AgentsError):
    """The person whose data this is has not agreed to {purpose!r}; record their consent, or leave the step out."""

    code = "consent_missing"


class SealBroken(AgentsError):
    """The sealed value cannot be opened: {problem}."""

    code = "seal_broken"


class RuleInvalid(AgentsError):
    """The rule {name!r} cannot be used: {problem}."""

    code = "rule_invalid"


class RevealRefused(AgentsError):
    """The value stays hidden: {problem}."""

    code = "reveal_refused"


class MemoryRefused(AgentsError):
    """It was not kept in memory: {problem}."""

    code = "memory_refused"


class MemoryUnavailable(AgentsError):
    """Long-term memory cannot be searched: {problem}."""

    code = "memory_unavailable"
