"""The rows of tools: recorded together with the agents."""

from dataclasses import asdict

from django.db import transaction

from agents.errors import VersionChanged
from agents.models import Tool, ToolVersion
from agents.tools.registry import ToolRegistry, default
from agents.tools.specs import ToolSpec


@transaction.atomic
def sync(registry: ToolRegistry = default) -> list[ToolVersion]:
    """Record every registered tool and version; return the versions that are new.

    A recorded version never changes: VersionChanged if the code now says otherwise. Rates belong to people afterwards.
    """
    specs = registry.specs()
    rows = {spec.name: _tool_row(spec) for spec in specs}
    Tool.objects.bulk_create(
        rows.values(), update_conflicts=True, unique_fields=["name"], update_fields=["title", "description", "owner"]
    )
    ids = dict(Tool.objects.filter(name__in=rows).values_list("name", "id"))
    wanted = {(ids[spec.name], spec.version): spec for spec in specs}
    before = set(ToolVersion.objects.filter(tool__in=ids.values()).values_list("tool_id", "number"))
    fresh = [_version_row(spec, key[0]) for key, spec in wanted.items() if key not in before]
    ToolVersion.objects.bulk_create(fresh, ignore_conflicts=True)
    recorded = ToolVersion.objects.filter(tool__in=ids.values()).select_related("tool")
    for row in recorded:
        spec = wanted.get((row.tool_id, row.number))
        if spec is not None and row.digest != spec.digest:
            changed = "contract, risk or code"
            raise VersionChanged(name=spec.name, version=spec.version, changed=changed, next=spec.version + 1)
    return [row for row in recorded if (row.tool_id, row.number) in wanted and (row.tool_id, row.number) not in before]


def _tool_row(spec: ToolSpec) -> Tool:
    return Tool(
        name=spec.name,
        title=spec.title,
        description=spec.description,
        owner=spec.owner,
        rate_per_minute=spec.rate_per_minute,
    )


def _version_row(spec: ToolSpec, tool_id: int) -> ToolVersion:
    return ToolVersion(
        tool_id=tool_id,
        number=spec.version,
        risk=spec.risk,
        entrypoint=spec.entrypoint,
        input_schema=spec.input.schema,
        output_schema=spec.output.schema,
        data_scopes=sorted(spec.data_scopes),
        config={
            "effects": spec.effects,
            "dry_run": spec.dry_run is not None,
            "dry_run_first": spec.dry_run_first,
            "compensate": spec.compensate is not None,
            "secrets": sorted(spec.secrets),
            "sandbox": asdict(spec.sandbox) if spec.sandbox else None,
            "timeout": spec.timeout,
        },
        digest=spec.digest,
    )
