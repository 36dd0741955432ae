"""Assessments, calibrations and authority weights in the database."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext

from agents.models import AuthorityTable, Calibration
from agents.quality import calibration
from agents.quality.agreement import AUTHORITY
from agents.quality.calibration import Fit
from agents.quality.outcomes import outcomes_of

FRESH: Final = 30.0  # seconds that a worker goes by what it has read


@dataclass(frozen=True, slots=True)
class Trust:
    """A calibrated confidence (0-1), or None with the reason why it may not be shown."""

    value: float | None
    why: str


@dataclass(slots=True)
class _Known:
    """What this process has read, by agent, with when."""

    fits: dict[str, tuple[float, Calibration | None]] = field(default_factory=dict)


_known = _Known()


def trust(agent: str, claimed: float | None) -> Trust:
    """What the agent's claim is worth by its newest calibration."""
    if claimed is None:
        return Trust(None, "the agent claims no confidence")
    found = _newest(agent)
    if found is None:
        return Trust(None, f"no calibration yet: {calibration.FEWEST} decisions by people are needed")
    if not found.usable:
        return Trust(None, found.why)
    return Trust(calibration.apply(found.method, found.params, claimed), found.why)


def _newest(agent: str) -> Calibration | None:
    read, found = _known.fits.get(agent, (-FRESH, None))
    if monotonic() - read >= FRESH:
        found = newest_calibration(agent)
        _known.fits[agent] = (monotonic(), found)
    return found


def newest_calibration(agent: str) -> Calibration | None:
    """An agent's newest fit."""
    return Calibration.objects.filter(agent=agent).order_by("-id").first()


def calibrate(agent: str, *, by: str = "") -> Calibration:
    """Fit an agent's claims to what people decided about its outputs, and keep the fit, usable or not."""
    known = outcomes_of(agent)
    fit: Fit = calibration.fit([one.claimed for one in known], [one.right for one in known])
    names = ("error_before", "error_after", "brier", "brier_of_mean")
    evidence: dict[str, Any] = {name: getattr(fit, name) for name in names}
    evidence |= {name: [asdict(one) for one in getattr(fit, name)] for name in ("before", "after")}
    _known.fits.pop(agent, None)
    return Calibration.objects.create(
        agent=agent, method=fit.method, outcomes=fit.outcomes, right=fit.right, usable=fit.usable, why=fit.why[:300],
        params=fit.params, evidence=evidence, fitted_by=by,
    )  # fmt: skip


def authority_weights() -> dict[str, float]:
    """The weights in force, by level."""
    found = AuthorityTable.objects.order_by("-id").values_list("weights", flat=True).first()
    return {**AUTHORITY, **(found or {})}


class AuthorityRefused(ValueError):
    """A table of weights that cannot be used; its message says why."""


@transaction.atomic
def change_authority(weights: Mapping[str, float], *, reason: str, by: str) -> AuthorityTable:
    """Add a version of the table. Raises AuthorityRefused unless each known level has a weight from 0 to 1."""
    if set(weights) != set(AUTHORITY):
        raise AuthorityRefused(
            gettext("The table has the levels %(value)s; give each of them a weight.") % {"value": ", ".join(AUTHORITY)}
        )
    if not all(isinstance(value, int | float) and 0 <= value <= 1 for value in weights.values()):
        raise AuthorityRefused(gettext("A weight is a number from 0 to 1."))
    if not reason.strip():
        raise AuthorityRefused(gettext("Say why the weights change: whoever reads a synthesis later wants to know."))
    return AuthorityTable.objects.create(weights=dict(weights), reason=reason.strip()[:2000], changed_by=by)
