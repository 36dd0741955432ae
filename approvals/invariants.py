"""What must always hold of gates and decisions. Reads only; each violation is one sentence."""

from collections.abc import Iterator

from django.contrib.auth.models import User
from django.db.models import Exists, F, OuterRef, Q

from approvals import policy
from approvals.models import Decision, Gate, GateKind, GateStatus, Runway
from approvals.permissions import decidable_queues
from orchestrator.models import Task, Timer
from orchestrator.states import RUN_TERMINAL


def violations() -> Iterator[str]:
    """Everything wrong with what is stored, one sentence each."""
    yield from _settled_without_decision()
    yield from _decided_by_requester()
    yield from _without_waiting_task()
    yield from _waiting_without_gate()
    yield from _nobody_may_decide()
    yield from _runways()


def _settled_without_decision() -> Iterator[str]:
    for status in set(policy.OUTCOME.values()):
        verdicts = [verdict for verdict, outcome in policy.OUTCOME.items() if outcome == status]
        verdicts += ["choose"] if status == "returned" else []
        fitting = Decision.objects.filter(gate=OuterRef("pk"), verdict__in=verdicts)
        for pk in Gate.objects.filter(~Exists(fitting), status=status).values_list("pk", flat=True):
            yield f"gate {pk} is {status}, but no decision made it so"
    decided = Decision.objects.filter(gate=OuterRef("pk"))
    for pk in Gate.objects.filter(Exists(decided), status=GateStatus.OPEN).values_list("pk", flat=True):
        yield f"gate {pk} is open, but has a decision"


def _decided_by_requester() -> Iterator[str]:
    own = Q(decided_by=F("gate__requested_by")) | Q(decided_by=F("gate__run__started_by"))
    for pk, gate in Decision.objects.filter(own, decided_by__isnull=False).values_list("pk", "gate_id"):
        yield f"decision {pk} on gate {gate} was made by who asked for it"


def _without_waiting_task() -> Iterator[str]:
    gates = Gate.objects.filter(~Q(task__status="waiting"), status=GateStatus.OPEN, task__isnull=False)
    for pk, status in gates.values_list("pk", "task__status"):
        yield f"gate {pk} is open, but its task is {status}"
    told = Timer.objects.filter(kind="run_over", ref=OuterRef("run_id"), fired_at=None)
    about_runs = Gate.objects.filter(
        ~Exists(told), status=GateStatus.OPEN, kind=GateKind.DEADLINE, run__status__in=RUN_TERMINAL
    )
    for pk, status in about_runs.values_list("pk", "run__status"):
        yield f"gate {pk} is open, but its run has {status}"


def _waiting_without_gate() -> Iterator[str]:
    asked = Gate.objects.filter(task=OuterRef("pk"), status=GateStatus.OPEN)
    for pk in Task.objects.filter(~Exists(asked), status="waiting", wait_for="gate").values_list("pk", flat=True):
        yield f"task {pk} waits for a person, but has no open gate"


def _runways() -> Iterator[str]:
    """What was approved and has not gone out is an open gate with its time; nothing else has one."""
    live = Runway.objects.filter(gate=OuterRef("pk"), ended_at=None)
    for pk in Gate.objects.filter(~Exists(live), releases_at__isnull=False).values_list("pk", flat=True):
        yield f"gate {pk} is said to go out, but no approval waits for that"
    lost = Runway.objects.filter(~Q(gate__status=GateStatus.OPEN) | Q(gate__releases_at=None), ended_at=None)
    for pk in lost.values_list("gate_id", flat=True):
        yield f"gate {pk} has an approval that would never go out"


def _nobody_may_decide() -> Iterator[str]:
    """Every open gate needs one active person who may decide it and did not ask for it."""
    open_gates = list(
        Gate.objects.filter(status=GateStatus.OPEN).values_list("pk", "queue_id", "requested_by", "run__started_by")
    )
    if not open_gates:
        return
    deciders: dict[int, set[int]] = {}
    for user in User.objects.filter(is_active=True):
        for queue in decidable_queues(user).values_list("pk", flat=True):
            deciders.setdefault(queue, set()).add(user.pk)
    for pk, queue, requester, starter in open_gates:
        if not deciders.get(queue, set()) - {requester, starter}:
            yield f"gate {pk} is open, but nobody may decide it"
