"""What a look has found: of which things a rule's condition is true, and of which it is not."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from monitoring.alerts.inputs import Value
from monitoring.models import AlertRule


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition that is true of one thing. `over`: that has ended, so it will never be looked at again."""

    rule: AlertRule
    subject: str
    values: Mapping[str, Value]
    usual: Mapping[str, float] = field(default_factory=dict)
    run_id: int | None = None
    workflow: str = ""
    over: bool = False


@dataclass(slots=True)
class Findings:
    """Everything that one look has found."""

    true: list[Finding] = field(default_factory=list)
    calm: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))  # rule: things it is not true of
    problems: dict[int, str] = field(default_factory=dict)  # rule: why it could not be worked out
