"""Which duty of record keeping and oversight which file of an evidence pack speaks to. Pure.

No pack makes anybody compliant: `proves` says what it shows, `left` what its owner has to show besides.
"""

from dataclasses import asdict, dataclass
from typing import Final

AI_ACT: Final = "EU AI Act (Regulation (EU) 2024/1689)"
NIST: Final = "NIST AI RMF 1.0"


@dataclass(frozen=True, slots=True)
class Duty:
    """One requirement and what speaks to it."""

    framework: str
    clause: str
    asks: str
    files: tuple[str, ...]
    proves: str
    left: str


DUTIES: Final = (
    Duty(
        AI_ACT, "Art. 12(1)", "Events are recorded automatically over the lifetime of the system.",
        ("events.jsonl", "anchors.jsonl"),
        "Every event of these runs, written with what it records, in one gap-free and hash-chained order.",
        "That the system ran nowhere without Watchkeeper.",
    ),
    Duty(
        AI_ACT, "Art. 12(2)", "The record lets risks be found and the system's operation be followed.",
        ("narrative.html", "narrative.json", "runs.json"),
        "One story in the order of time: starts, calls, failures, outputs, acts of people, by correlation id.",
        "Your own monitoring plan after placing on the market (Art. 72).",
    ),
    Duty(
        AI_ACT, "Art. 12(3)", "Period of use, input data, and the people who verified the results.",
        ("runs.json", "gates.json"),
        "Start and end of each run and attempt, inputs as given, and who verified each result.",
        "Reference databases of biometric systems are not recorded.",
    ),
    Duty(
        AI_ACT, "Art. 14(1)", "People can oversee the system effectively while it is in use.",
        ("gates.json",),
        "Where people were asked, by which rule, until when, and what would have happened without them.",
        "That the people were enough, trained and in place.",
    ),
    Duty(
        AI_ACT, "Art. 14(4)(a-c)", "People understand, stay aware of automation bias, and interpret the output.",
        ("gates.json",),
        "Exactly what each reviewer saw, with its SHA-256: output, evidence, alternatives, confidence.",
        "Reviewers' measures are kept apart and are no part of a pack.",
    ),
    Duty(
        AI_ACT, "Art. 14(4)(d-e)", "People can disregard, override and stop the system.",
        ("gates.json", "narrative.json"),
        "Every rejection, edit, override and stop in these runs, by whom and why.",
        "That the stop works is shown by `bench halt`, not by a pack.",
    ),
    Duty(
        AI_ACT, "Art. 14(5)", "No action unless verified by two natural persons, where that is asked for.",
        ("gates.json",),
        "Votes of each person, and that nobody decided what they asked for.",
        "Which systems need it is your classification.",
    ),
    Duty(
        AI_ACT, "Art. 19, 26(6)", "Logs are kept for six months at least.",
        ("events.jsonl", "manifest.json"),
        "The log is never shortened; personal data of high sensitivity is deleted from records, not from the log.",
        "Backups, and the time for which they are kept.",
    ),
    Duty(
        NIST, "GOVERN 2.1", "Roles and responsibilities are documented.",
        ("accountable.json",), "Who is accountable for each decision, by name.", "The policy that gives them the role.",
    ),
    Duty(
        NIST, "MAP 3.5", "Processes for human oversight are defined.",
        ("gates.json", "runs.json"), "The rule of each gate and the version of the definition it comes from.", "",
    ),
    Duty(
        NIST, "MEASURE 2.4", "Functionality and behaviour are monitored in production.",
        ("events.jsonl", "runs.json"), "Outcome, confidence, attempts and cost of every task.", "Trends over runs.",
    ),
    Duty(
        NIST, "MEASURE 2.8", "Risks to transparency and accountability are examined.",
        ("agents.json", "gates.json"),
        "Versions and hashes of agents, models, prompts and definitions.", "Training data of third parties' models.",
    ),
    Duty(
        NIST, "MANAGE 4.3", "Incidents are communicated, tracked and recovered from.",
        ("narrative.html",), "What happened in which order, and what people did about it.", "Whom you told.",
    ),
)  # fmt: skip


def as_rows() -> list[dict[str, object]]:
    """For `mapping.json`."""
    return [asdict(duty) for duty in DUTIES]
