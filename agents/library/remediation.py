"""What to do about an incident: ATT&CK's mitigations of the matched techniques, ranked, with canonical arguments.

The kind of an action follows from the mitigation's id: `CONTAINMENT` takes something away from a running system,
`MONITORING` only looks, everything else is hardening. Containment is proposed only where critical harm is likely.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from agents.library.attack import Detection, Mitigation, index

type ActionKind = Literal["containment", "hardening", "monitoring"]

# mitigation id -> what is done, as a machine would be told.
CONTAINMENT = {
    "M1021": "block_web_content",
    "M1030": "isolate_segment",
    "M1031": "block_signature",
    "M1035": "cut_network_access",
    "M1036": "lock_accounts",
    "M1037": "filter_traffic",
    "M1038": "block_execution",
    "M1042": "disable_feature",
    "M1048": "isolate_application",
}
MONITORING = {
    "M1016": "scan_for_vulnerability",
    "M1019": "watch_threat_intelligence",
    "M1020": "inspect_tls",
    "M1040": "watch_endpoint_behaviour",
    "M1047": "audit_configuration",
    "M1049": "scan_for_malware",
    "M1057": "watch_data_egress",
}
_NO_ACTION = frozenset({"M1055", "M1056"})  # "Do Not Mitigate" and "Pre-compromise" name nothing to do
LIKELY_CRITICAL = 0.35  # from this probability of critical harm, containment is proposed
_MOST_CONTAINMENT = 2
_DISRUPTION = {"monitoring": 0, "hardening": 1, "containment": 2}
_COST = {
    "monitoring": "low: nothing changes for users",
    "hardening": "medium: a change to plan and test",
    "containment": "high: users lose a function until it is lifted",
}

# How a reviewer's note is read.
_ONLY_MONITORING = re.compile(
    r"\b(?:only|just) (?:monitor|watch|observ)|\b(?:monitor|watch)\w*(?: only|,? nothing else)"
)
_NO_CONTAINMENT = re.compile(
    r"\b(?:no|without|not|never|don'?t|avoid|drop|remove)\b[^.;]{0,20}\b(?:isolat|contain|block|disabl|cut)"
    r"|less (?:invasive|disrupt\w*)|gentler|keep \w+ (?:online|running|up)"
)
_CONTAINMENT_FIRST = re.compile(r"\b(?:isolat|contain)\w*")
_SOURCE_ID = re.compile(r"M\d{4}|DET\d{4}", re.IGNORECASE)
_UNWANTED = re.compile(
    r"\b(?:no|not|without|drop|remove|except|skip)\s+((?:M\d{4}|DET\d{4})(?:\s*(?:,|and|or)\s*(?:M\d{4}|DET\d{4}))*)",
    re.IGNORECASE,
)
_NOT_UNDERSTOOD = (
    "The note was not understood, so nothing changed. "
    "It may say: no containment, only monitoring, isolate, without M1030, at most 3."
)
_AT_MOST = re.compile(r"\b(?:at most|top|only|no more than|max(?:imum)?)\s+(\d{1,2}|one|two|three)\b")


@dataclass(frozen=True, slots=True)
class TechniqueRef:
    """A matched technique as an earlier step reported it."""

    id: str
    name: str
    score: float


@dataclass(frozen=True, slots=True)
class Action:
    """One proposed action. `basis` are the techniques it answers; `score` the sum of their similarities."""

    kind: ActionKind
    action: str
    target: str
    source: str  # ATT&CK id of the mitigation or detection strategy
    title: str
    url: str
    quote: str
    basis: tuple[str, ...]
    score: float

    @property
    def reversible(self) -> bool:
        """Whether lifting it restores the state before."""
        return self.kind != "hardening"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reviewer's note asks for, as far as this agent understands it."""

    kinds: frozenset[str] = frozenset(_DISRUPTION)
    without: frozenset[str] = frozenset()
    containment_first: bool = False
    limit: int | None = None
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The proposed actions in order, the best of what was left out, and what a note changed."""

    actions: tuple[Action, ...]
    alternatives: tuple[Action, ...]
    changes: tuple[str, ...] = field(default=())


def recommend(
    techniques: Sequence[TechniqueRef], *, target: str, critical: float, note: str = "", limit: int = 5
) -> Plan:
    """Rank the actions that answer `techniques`; `critical` is the probability that the harm is critical."""
    wish = understand(note)
    ranked = candidates(techniques, target=target)
    usual = _choose(ranked, _policy(critical), limit)
    if not note.strip():
        return Plan(usual, _left_out(ranked, usual))
    chosen = _choose(ranked, _within(wish, critical), wish.limit or limit)
    return Plan(chosen, _left_out(ranked, chosen), _changes(wish, usual, chosen))


def candidates(techniques: Sequence[TechniqueRef], *, target: str) -> list[Action]:
    """Every action that ATT&CK's relations give, best first: mitigations, and each technique's detection strategy."""
    scores: dict[str, float] = defaultdict(float)
    basis: dict[str, list[str]] = defaultdict(list)
    mitigations: dict[str, Mitigation] = {}
    watches: list[Action] = []
    for technique in techniques:
        for mitigation in index().mitigations.get(technique.id, ()):
            if mitigation.id not in _NO_ACTION:
                mitigations[mitigation.id] = mitigation
                scores[mitigation.id] += technique.score
                basis[mitigation.id].append(technique.id)
        watches.extend(
            _watch(detection, technique, target) for detection in index().detections.get(technique.id, ())[:1]
        )
    measures = [_measure(mitigation, tuple(basis[id_]), scores[id_], target) for id_, mitigation in mitigations.items()]
    return sorted([*measures, *watches], key=lambda action: (-action.score, _DISRUPTION[action.kind], action.source))


def understand(note: str) -> Wish:
    """Read a reviewer's note by fixed phrases; `said` repeats what was understood."""
    wish = _kinds_wished(note.lower())
    if unwanted := _UNWANTED.findall(note):
        ids = frozenset(id_.upper() for group in unwanted for id_ in _SOURCE_ID.findall(group))
        wish = replace(wish, without=ids, said=(*wish.said, "without " + ", ".join(sorted(ids))))
    if most := _AT_MOST.search(note.lower()):
        number = {"one": 1, "two": 2, "three": 3}.get(most.group(1)) or max(1, int(most.group(1)))
        wish = replace(wish, limit=number, said=(*wish.said, f"at most {number}"))
    return wish


def projected_cost(action: Action) -> str:
    """What the action costs those who use the system, by its kind."""
    return _COST[action.kind]


def _kinds_wished(note: str) -> Wish:
    if _ONLY_MONITORING.search(note):
        return Wish(kinds=frozenset({"monitoring"}), said=("only monitoring",))
    if _NO_CONTAINMENT.search(note):
        return Wish(kinds=frozenset({"hardening", "monitoring"}), said=("no containment",))
    if _CONTAINMENT_FIRST.search(note):
        return Wish(containment_first=True, said=("containment first",))
    return Wish()


def _policy(critical: float) -> Wish:
    likely = critical >= LIKELY_CRITICAL
    return Wish(kinds=frozenset(_DISRUPTION) if likely else frozenset({"hardening", "monitoring"}))


def _within(wish: Wish, critical: float) -> Wish:
    """A reviewer may ask for containment; without asking, the usual policy still limits it."""
    if wish.containment_first:
        return wish
    return replace(wish, kinds=wish.kinds & _policy(critical).kinds)


def _choose(ranked: Sequence[Action], wish: Wish, limit: int) -> tuple[Action, ...]:
    allowed = [action for action in ranked if action.kind in wish.kinds and action.source not in wish.without]
    containment = [action for action in allowed if action.kind == "containment"][:_MOST_CONTAINMENT]
    others = [action for action in allowed if action.kind != "containment"]
    if wish.containment_first:
        return tuple([*containment, *others][:limit])
    kept = set(containment) | set(others)
    return tuple([action for action in allowed if action in kept][:limit])


def _left_out(ranked: Sequence[Action], chosen: Sequence[Action], limit: int = 3) -> tuple[Action, ...]:
    return tuple([action for action in ranked if action not in chosen][:limit])


def _changes(wish: Wish, before: Sequence[Action], after: Sequence[Action]) -> tuple[str, ...]:
    if not wish.said:
        return (_NOT_UNDERSTOOD,)
    dropped = [action for action in before if action not in after]
    added = [action for action in after if action not in before]
    if not dropped and not added and list(before) == list(after):
        return (f"Understood: {'; '.join(wish.said)}. The proposal met this already.",)
    return (
        f"Understood: {'; '.join(wish.said)}.",
        *_listed("Dropped", dropped),
        *_listed("Added", added),
        *(("Reordered.",) if not dropped and not added else ()),
    )


def _listed(verb: str, actions: Iterable[Action]) -> tuple[str, ...]:
    return tuple(f"{verb}: {action.title} ({action.source})." for action in actions)


def _measure(mitigation: Mitigation, basis: tuple[str, ...], score: float, target: str) -> Action:
    kind: ActionKind = (
        "containment" if mitigation.id in CONTAINMENT else "monitoring" if mitigation.id in MONITORING else "hardening"
    )
    verb = (
        CONTAINMENT.get(mitigation.id)
        or MONITORING.get(mitigation.id)
        or "apply_" + re.sub(r"\W+", "_", mitigation.name.lower()).strip("_")
    )
    return Action(
        kind,
        verb,
        target,
        mitigation.id,
        mitigation.name,
        mitigation.url,
        mitigation.description,
        basis,
        round(score, 4),
    )


def _watch(detection: Detection, technique: TechniqueRef, target: str) -> Action:
    # Half weight: a detection strategy answers one technique and prevents nothing.
    return Action(
        "monitoring",
        "deploy_detection",
        target,
        detection.id,
        detection.name,
        detection.url,
        "",
        (technique.id,),
        round(technique.score / 2, 4),
    )
