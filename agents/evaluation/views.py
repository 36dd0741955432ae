"""Evaluations: suites and their results, one evaluation case by case, two compared. Read only."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agents.evaluation import queries
from agents.evaluation.cases import write_jsonl
from agents.evaluation.comparing import NotComparable, compare
from agents.evaluation.sources import cases_of
from agents.models import Dataset, EvaluationCase
from agents.quality.views import require_see
from agents.rights import rights


@require_GET
def evaluations(request: HttpRequest) -> HttpResponse:
    """What is open, the suites, the newest evaluations and the datasets."""
    require_see(request)
    agent = request.GET.get("agent", "")[:100]
    context = {
        "items": queries.open_items(),
        "suites": queries.suite_rows(),
        "evaluations": queries.evaluations(agent=agent),
        "datasets": Dataset.objects.all()[:50],
        "agent": agent,
        "may_edit": rights().can(request.user, "edit_quality"),
    }
    template = "agents/evaluations.html" + ("#rows" if getattr(request, "wants_partial", False) else "")
    return render(request, template, context)


@require_GET
def evaluation(request: HttpRequest, pk: int) -> HttpResponse:
    """One evaluation: measures against thresholds, provenance, and its cases, the failed ones first asked for."""
    require_see(request)
    found = queries.get_evaluation_or_404(pk)
    failed = request.GET.get("all") != "1"
    page = min(int(number) if (number := request.GET.get("page", "0")).isdecimal() else 0, 1000)
    context = {
        "evaluation": found,
        "measures": queries.measured(found),
        "cases": queries.cases(found, failed=failed, page=page),
        "failed_count": found.rows.filter(passed=False).count(),
        "failed": failed,
        "page": page,
        "next": page + 1 if (page + 1) * queries.CASES < found.rows.count() and not failed else None,
        "others": queries.earlier_of_the_same(found),
        "opens_cases": _opens_cases(request),
    }
    return render(request, "agents/evaluation.html", context)


@require_GET
def case(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """One case: what went in, what came out, what was expected, and its marks."""
    require_see(request)
    if not _opens_cases(request):
        raise PermissionDenied(_("Cases hold what agents were given: they are for who may see all runs."))
    found = get_object_or_404(EvaluationCase.objects.select_related("evaluation"), evaluation=pk, number=number)
    return render(request, "agents/evaluation_case.html", {"case": found, "evaluation": found.evaluation})


def _opens_cases(request: HttpRequest) -> bool:
    return any(rights().can(request.user, verb) for verb in ("see_runs", "edit_quality"))


@require_GET
def comparison(request: HttpRequest, pk: int, other: int) -> HttpResponse:
    """Evaluation `pk` against the older `other`."""
    require_see(request)
    new, old = queries.get_evaluation_or_404(pk), queries.get_evaluation_or_404(other)
    try:
        context = {"found": compare(old, new), "opens_cases": _opens_cases(request)}
    except NotComparable as problem:
        raise Http404(str(problem)) from None
    return render(request, "agents/comparison.html", context)


@require_GET
def dataset(request: HttpRequest, pk: int) -> HttpResponse:
    """A stored dataset as a JSONL file: whoever may edit quality takes it away, for it may hold personal data."""
    require_see(request)
    found = get_object_or_404(Dataset, pk=pk)
    if not rights().can(request.user, "edit_quality"):
        raise Http404
    response = HttpResponse(write_jsonl(cases_of(found)), content_type="application/x-ndjson")
    response["Content-Disposition"] = f'attachment; filename="{found.name}-{found.digest[:12]}.jsonl"'
    return response
