"""Patterns that need no coordinating step: they are made of step types. Help and templates only."""

from collections.abc import Iterator
from dataclasses import dataclass

from agents.marking import marked as _
from orchestrator.patterns import registry, tags
from orchestrator.patterns.registry import Help


@dataclass(frozen=True, slots=True)
class Entry:
    """A pattern as people choose it. `step` is true if a definition names it: `type: pattern, pattern: <name>`.

    `others` are further templates of it: another use, or a workflow that the first one works together with.
    """

    name: str
    title: str
    help: Help
    step: bool = False
    others: tuple[str, ...] = ()

    @property
    def templates(self) -> tuple[str, ...]:
        """All its templates, in YAML."""
        return (self.help.template, *self.others)

    @property
    def tags(self) -> tuple[str, ...]:
        """What its templates are for."""
        return tuple(dict.fromkeys(tag for template in self.templates for tag in tags.of_template(template)))


PLAIN = (
    Entry(
        "sequential",
        _("Sequential"),
        Help(
            when=_("Each step needs what the one before it made: draft, check, approve, deliver."),
            strengths=_("Easy to read, to explain and to repeat; a failure has one place."),
            limits=_("It takes as long as all its steps together, and one that waits holds up all that follow."),
            complexity=_("Low: one task for each step."),
            observability=_("The run's graph is a line; the step it is at is where it stands."),
            governance=_("A gate between any two steps stops everything after it until people decide."),
            tooling=_("Step type `sequential`, or `dependencies`; any agent fits."),
            template=registry.template("sequential"),
        ),
        others=(registry.template("sequential_approvals"),),
    ),
    Entry(
        "parallel",
        _("Parallel"),
        Help(
            when=_("Independent parts of one job that can be done at the same time and are put together at the end."),
            strengths=_("It takes as long as its slowest part. A part that fails need not stop the others."),
            limits=_("Parts do not see each other's findings; cost comes all at once."),
            complexity=_("Low: one task for each part and one to join them."),
            observability=_("Branches stand side by side in graph and timeline, so the slowest one shows."),
            governance=_("A join says how many parts must succeed: all, any, or a number."),
            tooling=_("Step type `parallel`, `join` for who waits, `map` for a part for each item of a list."),
            template=registry.template("parallel"),
        ),
        others=(registry.template("parallel_collection"),),
    ),
    Entry(
        "conditional",
        _("Conditional"),
        Help(
            when=_("Known kinds of cases, each with its own known way: by risk, by amount, by kind of request."),
            strengths=_("Cheap cases take the cheap way. Every choice can be repeated and explained."),
            limits=_("Somebody must know the branches beforehand. What cannot be worked out stops and asks a person."),
            complexity=_("Low: one choice, and the tasks of the branch that was taken."),
            observability=_("The choice is a step of its own; branches that were not taken are shown as skipped."),
            governance=_("Conditions are CEL in the published version, so a change of rule is a new version."),
            tooling=_("Step type `conditional` with `branches` and `default`, or `when` on any step."),
            template=registry.template("conditional"),
        ),
        others=(registry.template("approval_routing"),),
    ),
    Entry(
        "saga",
        _("Saga (undo what was done)"),
        Help(
            when=_(
                "Steps that change the world one after the other, and a late failure must not leave half of it done."
            ),
            strengths=_(
                "Each step says what undoes it, so a failure or a person takes everything back in reverse order."
            ),
            limits=_(
                "Undoing is a new act, not a rewind: others may have seen what was done. What cannot be undone, such "
                "as a letter that was sent, belongs at the end. A step without `compensate` is left as it is."
            ),
            complexity=_("Low to write: one more call a step. Hard to get right: each undoing must be safe to repeat."),
            observability=_(
                "While it undoes, the run is `compensating`, then `failed` with its first error. Each undoing is a "
                "task of its own, undo_<step>, that shows the output it was given."
            ),
            governance=_(
                "An undoing that fails asks people and lets the others go on. `business_queue` names who is told of "
                "what was taken back. People may choose Cancel and undo at any time."
            ),
            tooling=_(
                "A step's `compensate` (sees `output`, `given`, `input`); `error_handling.on_failure: compensate`."
            ),
            template=registry.template("saga"),
        ),
    ),
    Entry(
        "choreography",
        _("Event-driven choreography"),
        Help(
            when=_("Parts of an organisation that react to the same facts, each in its own way and at its own pace."),
            strengths=_(
                "Nobody has to know who listens: one more workflow reacts by one more consumer group, and nothing else "
                "changes. Facts that came before are found by replay."
            ),
            limits=_(
                "No single place shows the whole process, and nothing undoes it as a whole. Facts come from outside, "
                "or from agents that send them: no step publishes a signal. They are kept for 30 days."
            ),
            complexity=_("Low for each workflow; what they do together has to be understood from all of them."),
            observability=_(
                "Each group shows how far it is and how much is left; a run names the signal that started it, and all "
                "runs of one signal have one correlation id."
            ),
            governance=_(
                "A group starts runs only for signals whose sender may start them, each signal once and in order. "
                "Making, holding and replaying a group are recorded; the last two ask for a reason."
            ),
            tooling=_(
                "Consumer groups (a workflow's Signals tab, /api/v1/groups), /api/v1/signals, step `wait_event`."
            ),
            template=registry.template("choreography"),
        ),
        others=(registry.template("choreography_invoice"),),
    ),
)


def entries() -> Iterator[Entry]:
    """Every pattern that people can choose, plain ones first, the others by their title."""
    yield from PLAIN
    known = [registry.find(name) for name in registry.names()]
    named = sorted((pattern for pattern in known if pattern is not None), key=lambda pattern: pattern.title)
    yield from (Entry(pattern.name, pattern.title, pattern.help, step=True) for pattern in named)
