"""The agents of the incident-response workflow: each translates between its contract and the pure modules beside it."""

from agents.context import AgentContext
from agents.errors import ToolRefused
from agents.library import attack, compliance, remediation, severity
from agents.library.attack_tools import LOOK_UP, TechniqueFacts
from agents.library.incident_contracts import (
    ActionOut,
    Alert,
    Alternative,
    Evidence,
    IndicatorFound,
    Indicators,
    Intake,
    ProductFound,
    Quote,
    Remediation,
    RemediationInput,
    Report,
    ReportInput,
    Severity,
    SeverityInput,
    Summary,
    TechniqueMatch,
    Techniques,
    TextInput,
)
from agents.library.incidents import narrative
from agents.library.indicators import indicators, products
from agents.library.summary import summarise
from agents.library.text import key_phrases
from agents.registry import agent

LOW_CONFIDENCE = 0.42  # the workflow's gate asks a person below it; docs/workflows.md has the measured share


@agent(
    "incident-intake",
    title="Incident intake",
    input=Alert,
    output=Intake,
    capabilities=["text.clean"],
    tags=["security"],
    timeout=20,
)
def intake(alert: Alert, ctx: AgentContext) -> Intake:
    """Puts an alert into the form that the other agents read and removes what only says who lists it."""
    text = narrative(alert.title, alert.description, alert.affected)
    shortened = len(text) < len(narrative(alert.title, "", alert.affected)) + len(alert.description.strip())
    named = products(text, limit=1)
    target = alert.affected or (f"{named[0].name} {named[0].version}" if named else "")
    return Intake(
        alert=alert, text=text, target=target or "what the alert does not name", boilerplate_removed=shortened
    )


@agent(
    "threat-summariser",
    title="Threat-intel summariser",
    input=TextInput,
    output=Summary,
    capabilities=["text.summarise"],
    tags=["security", "research"],
    timeout=20,
)
def summarise_threat(given: TextInput, ctx: AgentContext) -> Summary:
    """Picks the sentences that say most of the incident (LexRank) and its key phrases; it writes no word of its own."""
    ranked = summarise(given.text, limit=3)
    quotes = [
        Quote(text=item.sentence.text, start=item.sentence.start, end=item.sentence.end, score=item.score)
        for item in ranked
    ]
    evidence = [
        Evidence(
            claim=quote.text,
            source=f"incident text, characters {quote.start}-{quote.end}",
            quote=given.text[quote.start : quote.end],
            status="verified" if given.text[quote.start : quote.end] == quote.text else "unsupported",
        )
        for quote in quotes
    ]
    return Summary(
        summary=" ".join(quote.text for quote in quotes),
        sentences=quotes,
        key_phrases=key_phrases(given.text),
        evidence=evidence,
    )


@agent(
    "enrichment-fetcher",
    title="Enrichment fetcher (ATT&CK)",
    input=TextInput,
    output=Techniques,
    capabilities=["attack.lookup"],
    tags=["security", "research"],
    timeout=30,
)
def fetch_techniques(given: TextInput, ctx: AgentContext) -> Techniques:
    """Finds the MITRE ATT&CK 18.1 techniques whose wording is most like the incident's."""
    found = [
        TechniqueMatch(
            id=match.technique.id,
            name=match.technique.name,
            tactics=list(match.technique.tactics),
            url=match.technique.url,
            score=min(match.score, 1.0),
            shared=list(match.shared),
        )
        for match in attack.index().match(given.text, limit=5)
    ]
    if not found:
        return Techniques(techniques=[], remark="No technique is alike enough.")
    known = _looked_up(found[0].id, ctx)
    return Techniques(techniques=found, remark=f"Likeness of wording, not proof of use.{known}")


def _looked_up(technique: str, ctx: AgentContext) -> str:
    """How much ATT&CK knows against the likest technique; nothing where no policy lets this agent ask."""
    if LOOK_UP not in [one["name"] for one in ctx.wait_for(ctx.tools.available())]:
        return ""
    try:
        found = TechniqueFacts.model_validate(ctx.tools.call_sync(LOOK_UP, {"id": technique}))
    except ToolRefused:  # taken away or limited meanwhile: the techniques stand without it
        return ""
    mitigations, detections = len(found.mitigations), len(found.detections)
    return f" ATT&CK on {technique}: mitigations {mitigations}, detection strategies {detections}."


@agent(
    "indicator-extractor",
    title="Indicator extractor",
    input=TextInput,
    output=Indicators,
    capabilities=["text.extract"],
    tags=["security", "research"],
    timeout=20,
)
def extract_indicators(given: TextInput, ctx: AgentContext) -> Indicators:
    """Extracts CVE and framework ids, indicators of compromise (defanged) and affected products from the text."""
    return Indicators(
        indicators=[
            IndicatorFound(kind=item.kind, value=item.value, start=item.start, end=item.end)
            for item in indicators(given.text)
        ],
        products=[
            ProductFound(name=item.name, version=item.version, quote=item.quote) for item in products(given.text)
        ],
    )


@agent(
    "severity-assessor",
    title="Severity assessor",
    input=SeverityInput,
    output=Severity,
    capabilities=["severity.assess"],
    tags=["security"],
    timeout=20,
)
def assess_severity(given: SeverityInput, ctx: AgentContext) -> Severity:
    """Grades an incident with a trained classifier whose probabilities are calibrated on held-back incidents."""
    found = severity.terms(given.text, reference=given.reference, category=given.category)
    assessment = severity.model().assess(found)
    words = f"{assessment.level}, {_in_words(assessment.confidence)} ({assessment.confidence:.0%})"
    heard = ", ".join(assessment.reasons) or "none stood out"
    claim = Evidence(
        claim=f"Severity is {words}; the words that spoke for it most: {heard}.",
        source=f"model severity-assessor of {severity.card()['trained_at']}, {severity.card()['data']}",
    )
    return Severity(
        level=assessment.level,
        confidence=assessment.confidence,
        critical=assessment.probabilities["critical"],
        probabilities=assessment.probabilities,
        reasons=list(assessment.reasons),
        in_words=words,
        evidence=[claim],
    )


@agent(
    "remediation-recommender",
    title="Remediation recommender",
    input=RemediationInput,
    output=Remediation,
    capabilities=["remediation.propose"],
    tags=["security"],
    timeout=30,
)
def recommend_remediation(given: RemediationInput, ctx: AgentContext) -> Remediation:
    """Proposes ATT&CK's mitigations of the matched techniques and changes the proposal as a reviewer's note asks."""
    techniques = [remediation.TechniqueRef(item.id, item.name, item.score) for item in given.techniques]
    plan = remediation.recommend(techniques, target=given.target, critical=given.critical, note=ctx.note)
    contains = any(action.kind == "containment" for action in plan.actions)
    return Remediation(
        actions=[_action(action) for action in plan.actions],
        containment=contains,
        confidence=given.confidence,
        in_words=_actions_in_words(plan.actions),
        changes=list(plan.changes),
        alternatives=[_alternative(action) for action in plan.alternatives],
        evidence=[*given.evidence, *(_action_evidence(action) for action in plan.actions)],
    )


def _action(action: remediation.Action) -> ActionOut:
    return ActionOut(
        kind=action.kind,
        action=action.action,
        title=action.title,
        arguments={"target": action.target, "source": action.source},
        reversible=action.reversible,
        basis=list(action.basis),
        score=action.score,
        url=action.url,
    )


def _alternative(action: remediation.Action) -> Alternative:
    return Alternative(
        option=f"{action.title} ({action.source})",
        cost=remediation.projected_cost(action),
        impact=f"{action.kind}; {'can be undone' if action.reversible else 'stays'}",
        success=f"answers {', '.join(action.basis)} (score {action.score:.2f})",
        note="From ATT&CK's relations; ranked below the proposal or held back by the containment rule.",
    )


def _action_evidence(action: remediation.Action) -> Evidence:
    relation = "detects" if action.source.startswith("DET") else "mitigates"
    return Evidence(
        claim=f"{action.title} {relation} {', '.join(action.basis)}.",
        source=f"MITRE ATT&CK 18.1 {action.source} {action.url}",
        quote=action.quote,
    )


def _actions_in_words(actions: tuple[remediation.Action, ...]) -> str:
    if not actions:
        return "no action, because no ATT&CK technique is alike enough"
    return "; ".join(f"{action.title} ({action.kind})" for action in actions)


def _in_words(confidence: float) -> str:
    steps = ((0.9, "almost certain"), (0.7, "likely"), (0.55, "more likely than not"), (LOW_CONFIDENCE, "uncertain"))
    return next((words for limit, words in steps if confidence >= limit), "little better than a guess")


@agent(
    "compliance-reporter",
    title="Compliance reporter",
    input=ReportInput,
    output=Report,
    capabilities=["report.write"],
    tags=["security", "compliance"],
    timeout=30,
)
def write_report(given: ReportInput, ctx: AgentContext) -> Report:
    """Maps the incident to NIST AI RMF and OWASP LLM ids and writes a report whose every statement names its source."""
    facts = _facts(given)
    statements = compliance.claims(facts)
    unsupported = [
        claim
        for claim in statements
        if claim.quote and claim.source.startswith("incident text") and claim.quote not in given.text
    ]
    return Report(
        file_name=f"{''.join(c if c.isalnum() or c in '-_' else '_' for c in given.alert.id)}-report.md",
        markdown=compliance.report(facts),
        frameworks=[mapping.id for mapping in facts.mappings],
        statements=len(statements),
        unsupported=len(unsupported),
        evidence=[Evidence(claim=mapping.id, source=mapping.reason) for mapping in facts.mappings],
    )


def _facts(given: ReportInput) -> compliance.Facts:
    alert, claim = given.alert, compliance.Claim
    index = given.indicators.indicators
    actions = given.remediation.actions
    return compliance.Facts(
        id=alert.id,
        title=alert.title,
        date=alert.date,
        reference=alert.reference,
        route=given.route,
        severity=claim(f"Assessed as {given.severity.in_words}.", given.severity.evidence[0].source),
        summary=tuple(
            claim(item.text, f"incident text, characters {item.start}-{item.end}", item.text)
            for item in given.summary.sentences
        ),
        techniques=tuple(
            claim(f"{item.id} {item.name} (likeness {item.score:.2f})", item.url)
            for item in given.techniques.techniques
        ),
        indicators=tuple(
            claim(
                f"{item.kind}: {item.value}",
                f"incident text, characters {item.start}-{item.end}",
                given.text[item.start : item.end],
            )
            for item in index
        ),
        actions=tuple(claim(f"{item.kind}: {item.title} on {item.arguments['target']}", item.url) for item in actions),
        note=claim(given.note, "analyst, in this run") if given.note.strip() else None,
        mappings=tuple(
            compliance.framework_mappings(
                given.text,
                category=alert.category,
                reported=[*alert.owasp_llm, *alert.nist_ai_rmf],
                reference=alert.reference,
            )
        ),
    )
