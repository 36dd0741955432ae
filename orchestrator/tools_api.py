"""REST v1: tools, policies, the capability matrix, and what a policy would say. Changes are acts on everything."""

from datetime import datetime
from typing import Annotated, Any

from django.http import Http404, HttpRequest
from ninja import Router, Schema
from pydantic import Field, StringConstraints

from agents.errors import PolicyInvalid
from agents.models import PolicyVersion
from agents.policies import queries, rules, store
from agents.policies.rules import Question
from agents.tools import queries as tool_queries
from orchestrator.acts.policies import PolicyRefused
from orchestrator.api_errors import ERRORS, Forbidden, Name, caller
from orchestrator.ports import rights

tools = Router(tags=["Tools"])
policies = Router(tags=["Policies"])
ToolName = Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z0-9][a-z0-9_.-]*$")]


class ToolOut(Schema):
    """One tool with what was decided about its calls in the last 24 hours."""

    name: str
    title: str
    version: int
    risk: str
    data_scopes: list[str]
    rate_per_minute: int | None
    state: str = Field(description="Of its breaker: closed (in service), open or half_open.")
    allowed: int
    denied: int
    asked: int
    failed: int
    limited: int


class EntitlementOut(Schema):
    """One line of the capability matrix."""

    policy: str
    id: str
    agent: str
    tool: str
    scopes: list[str]
    when: str
    queue: str = Field(description="Whose approval is asked first; empty: nobody's.")
    expires: datetime | None
    revoked: bool
    unused: bool = Field(description="In force for 90 days and not used in them.")
    last_used: datetime | None


class PolicyVersionOut(Schema):
    """One version of a policy."""

    number: int
    state: str = Field(description="proposed, active, replaced or rejected.")
    digest: str
    commit: str
    author: str
    decided_by: str
    created_at: datetime
    source: str


class CheckIn(Schema):
    """A call to judge, by what is in force or by a text that is not stored."""

    agent: Name
    tool: ToolName
    arguments: dict[str, Any] = {}
    scopes: list[str] | None = None
    run: dict[str, Any] = {}
    source: Annotated[str, StringConstraints(max_length=262144)] = ""


class RulingOut(Schema):
    """What the policies say."""

    allowed: bool
    queue: str
    policy: str
    entitlement: str
    code: str
    why: str
    remedy: str


@tools.get("", response={200: list[ToolOut], **ERRORS}, summary="List tools")
def list_tools(request: HttpRequest) -> list[ToolOut]:
    """Every recorded tool."""
    _see(request)
    return [_tool(row) for row in tool_queries.tools()]


@tools.get("/{tool}", response={200: ToolOut, **ERRORS}, summary="Get one tool")
def one_tool(request: HttpRequest, tool: ToolName) -> ToolOut:
    """One tool."""
    _see(request)
    found = next((row for row in tool_queries.tools() if row.tool.name == tool), None)
    if found is None:
        raise Http404
    return _tool(found)


@policies.get("/matrix", response={200: list[EntitlementOut], **ERRORS}, summary="Get the capability matrix")
def capability_matrix(request: HttpRequest, unused: bool = False) -> list[EntitlementOut]:
    """Agent x tool x data scope, as the policies in force say."""
    _see(request)
    return [_entitlement(cell) for cell in queries.matrix() if cell.is_unused or not unused]


@policies.post("/check", response={200: RulingOut, **ERRORS}, summary="Ask what a policy says of a call")
def check(request: HttpRequest, body: CheckIn) -> RulingOut:
    """Judge a call without making it."""
    _see(request)
    risks, scopes = store.registered()
    if body.tool not in risks:
        raise Http404("There is no such tool.")
    try:
        found = rules.Rules([store.examine(body.source).document]) if body.source else store.load()
    except PolicyInvalid as problem:
        raise PolicyRefused(problems=problem.facts["problems"]) from problem
    touched = tuple(scopes[body.tool] if body.scopes is None else body.scopes)
    asked = Question(body.agent, body.tool, risks[body.tool], touched, body.arguments, body.run)
    ruling = found.judge(asked)
    return RulingOut(**{name: getattr(ruling, name) for name in RulingOut.model_fields})


@policies.get("", response={200: list[str], **ERRORS}, summary="List policies")
def list_policies(request: HttpRequest) -> list[str]:
    """Their names."""
    _see(request)
    return [policy.name for policy in queries.policies()]


@policies.get("/{policy}", response={200: list[PolicyVersionOut], **ERRORS}, summary="Get a policy's versions")
def policy_versions(request: HttpRequest, policy: Name) -> list[PolicyVersionOut]:
    """The newest first."""
    _see(request)
    return [_version(version) for version in queries.versions_of(queries.get_policy_or_404(policy))]


def _see(request: HttpRequest) -> None:
    if not rights().can(caller(request), "see_agents"):
        raise Forbidden(verb="see agents and their tools")


def _tool(row: tool_queries.Row) -> ToolOut:
    counts = {name: getattr(row.counts, name) for name in ("allowed", "denied", "asked", "failed", "limited")}
    return ToolOut(
        name=row.tool.name,
        title=row.tool.title,
        version=row.version.number if row.version else 0,
        risk=row.version.risk if row.version else "",
        data_scopes=row.version.data_scopes if row.version else [],
        rate_per_minute=row.tool.rate_per_minute,
        state=row.tool.state,
        **counts,
    )


def _entitlement(cell: queries.Cell) -> EntitlementOut:
    held = cell.entitlement
    return EntitlementOut(
        policy=cell.policy,
        id=held.id,
        agent=held.agent,
        tool=held.tool,
        scopes=sorted(held.scopes),
        when=held.when,
        queue=cell.queue,
        expires=held.expires,
        revoked=cell.is_revoked,
        unused=cell.is_unused,
        last_used=cell.last_used,
    )


def _version(version: PolicyVersion) -> PolicyVersionOut:
    return PolicyVersionOut(
        number=version.number,
        state=version.state,
        digest=version.digest,
        commit=version.commit,
        author=version.author.get_username() if version.author else "",
        decided_by=version.decided_by.get_username() if version.decided_by else "",
        created_at=version.created_at,
        source=version.source,
    )
