"""The act that installs a template of the gallery: an act of publishing, in one click, one command or one request."""

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext as _

from agents.types import Json
from orchestrator import forms, ports, services
from orchestrator.acts.core import Act, Done, Performing, Person, Plan, Scope, Target, perform, register
from orchestrator.acts.refusals import ActImpossible, ActNotAllowed, AnswerInvalid
from orchestrator.definitions.errors import DefinitionError
from orchestrator.definitions.load import load
from orchestrator.errors import OrchestratorError
from orchestrator.gallery import templates
from orchestrator.gallery.templates import Template
from orchestrator.models import Workflow
from orchestrator.ports import rights

NAME: Final = "install-template"
PUBLISH: Final = "publish_version"


class TemplateUnfit(OrchestratorError):
    """{template} cannot be installed here: {problem}."""

    code = "template_unfit"
    status = 422


class InstallTemplate(Act):
    """Publish a template's definition as the current version of its workflow, and make the queues that it names."""

    name = NAME
    scopes: ClassVar[tuple[Scope, ...]] = ("everything",)
    icon = "download"
    title = gettext_lazy("Install a template")
    action = gettext_lazy("Install")
    menu = gettext_lazy("Install a template…")
    hint = gettext_lazy("It becomes a workflow of yours: change and publish it as you like.")

    def permits(self, user: Person, target: Target) -> bool:
        """Those who may publish; whether this very workflow is asked once it is known which."""
        return ports.rights().can_somewhere(user, PUBLISH)

    def is_offered(self, target: Target) -> bool:
        """Only in the gallery, which says which one."""
        return False

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which template."""
        titles = {template.name: template.facts.title for template in templates.every()}
        return {
            "properties": {"template": forms.choice(_("Template"), titles)},
            "required": ["template"],
        }

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Which version it becomes, and which queues are made."""
        template = _template(answers)
        held = Workflow.objects.select_related("current_version").filter(name=template.name).first()
        current = held.current_version if held else None
        if current is not None and current.digest == digest_of(template):
            why = _("%(title)s is installed already, word for word, as version %(number)d.")
            raise ActImpossible(why=why % {"title": template.facts.title, "number": current.number})
        last = held.versions.order_by("-number").values_list("number", flat=True).first() if held else None
        told = {"title": template.facts.title, "number": (last or 0) + 1}
        lines = [_("%(title)s is published as version %(number)d.") % told]
        missing = _queues_to_make(template)
        if missing:
            lines.append(_("These queues of people are made: %(names)s.") % {"names": ", ".join(missing)})
        warnings = [_("Nobody may decide in a new queue yet: give people the right on its page.")] if missing else []
        if current is not None:
            replaced = _("The workflow %(name)s has another definition now, version %(number)d, which this replaces.")
            warnings.append(replaced % {"name": template.name, "number": current.number})
        bound: dict[str, Json] = {"digest": digest_of(template), "from": current.pk if current else 0}
        return Plan(tuple(lines), bound, (template, held, missing), tuple(warnings))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Publish it as its author would."""
        template, held, missing = act.plan.work
        if act.by is not None:
            _require(act.by, template, held, missing)
        try:
            version = services.publish(source=template.source, file=template.file, by=act.by, make_queues=True)
        except DefinitionError as error:
            problem = str(error.problems[0]).rstrip(".")
            raise TemplateUnfit(template=template.facts.title, problem=problem) from error
        facts: dict[str, Json] = {"workflow": template.name, "number": version.number}
        act.record("workflow.installed", template=template.name, digest=version.digest, **facts)
        return {**facts, "href": reverse("orchestrator:gallery-template", args=[template.name])}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The template is installed. Try it with one of its samples.")


def install(template: Template, *, by: User | None, reason: str) -> Done:
    """Install a template. The one service behind the page, `POST /api/v1/gallery/…` and `manage.py install_template`.

    Raises ActImpossible when it is installed word for word, ActNotAllowed, ReasonMissing and TemplateUnfit.
    """
    act = InstallTemplate()
    if by is not None and not act.permits(by, Target("everything")):
        raise ActNotAllowed(verb="publish")
    return perform(act, Target("everything"), by=by, reason=reason, answers={"template": template.name})


def digest_of(template: Template) -> str:
    """As a version of it would have it."""
    return hashlib.sha256(template.source.encode()).hexdigest()


def _template(answers: Mapping[str, Json]) -> Template:
    found = templates.find(str(answers.get("template", "")))
    if found is None:
        raise AnswerInvalid(field="template", problem=gettext("there is none of this name"))
    return found


def _queues_to_make(template: Template) -> list[str]:
    try:
        return services.check_queues(load(template.source, file=template.file), make=True)
    except DefinitionError as error:
        raise TemplateUnfit(template=template.facts.title, problem=str(error.problems[0]).rstrip(".")) from error


def _require(by: User, template: Template, held: Workflow | None, missing: list[str]) -> None:
    if not rights().can(by, PUBLISH, held):
        raise ActNotAllowed(verb=f"publish {template.name}")
    if missing and not rights().can(by, "edit_queues"):
        raise ActNotAllowed(verb=f"make the queues {', '.join(missing)}")


register(InstallTemplate())
