"""Everything the people side refuses. The docstring is the message; facts are attributes."""

from orchestrator.errors import OrchestratorError


class ApprovalsError(OrchestratorError):
    """Something was refused."""


class GateNotFound(ApprovalsError):
    """Gate {gate_id} does not exist, or you may not see it."""

    code = "gate_not_found"
    status = 404


class NotPermitted(ApprovalsError):
    """You may not {verb} here; ask an administrator for the right."""

    code = "not_permitted"
    status = 403


class SeparationOfDuties(ApprovalsError):
    """{why}: someone else must decide gate {gate_id}."""

    code = "separation_of_duties"
    status = 403


class VotedAlready(ApprovalsError):
    """You have voted on gate {gate_id} already, with this or another account of yours; one person has one vote."""

    code = "voted_already"


class CardNotOpen(ApprovalsError):
    """{who} not got the card of gate {gate_id} open: this takes two people at one moment. Open it and approve again."""

    code = "card_not_open"


class DelegationRefused(ApprovalsError):
    """Nobody stands in yet: {why}."""

    code = "delegation_refused"
    status = 422


class HandingRefused(ApprovalsError):
    """It was not handed on: {why}."""

    code = "handing_refused"
    status = 422


class SelfGrant(ApprovalsError):
    """Nobody changes their own rights; ask another administrator to do it."""

    code = "self_grant"
    status = 403


class SecondPersonNeeded(ApprovalsError):
    """{why}, so a second entitled person must confirm it: ask for it on the access page."""

    code = "second_person_needed"
    status = 403


class LastAdministrator(ApprovalsError):
    """Nobody would be left who may change access; give that right to somebody else first."""

    code = "last_administrator"


class ChangeRefused(ApprovalsError):
    """Access stays as it is: {why}."""

    code = "change_refused"
    status = 422


class LinkInvalid(ApprovalsError):
    """This link does not work for that name: it was used or taken back, is too old, or is somebody else's."""

    code = "link_invalid"
    status = 404


class GateAlreadySettled(ApprovalsError):
    """Gate {gate_id} was settled already: {verdict} by {by} at {at:%H:%M:%S} UTC. Your text is kept as a draft."""

    code = "gate_already_settled"


class GateGoingOut(GateAlreadySettled):
    """Gate {gate_id} was decided already: {verdict} by {by}; it goes out at {at:%H:%M:%S} UTC. Take it back first."""

    code = "gate_going_out"


class RunwayOver(ApprovalsError):
    """Nothing of gate {gate_id} can be taken back any more: it has gone out, or was taken back. Look at its run."""

    code = "runway_over"


class GateChanged(ApprovalsError):
    """Gate {gate_id} changed after you opened it ({what}); look at it again before you decide. Your text is kept."""

    code = "gate_changed"


class SealBroken(GateChanged):
    """Gate {gate_id} would release something that was not sealed for review ({what}): nothing was. Tell an auditor."""

    code = "seal_broken"


class GateClaimed(ApprovalsError):
    """{by} took gate {gate_id} until {until:%H:%M} UTC; decide together or wait until the claim ends."""

    code = "gate_claimed"


class VerdictNotAllowed(ApprovalsError):
    """Gate {gate_id} does not take the verdict {verdict!r}; choose one of {allowed}."""

    code = "verdict_not_allowed"
    status = 422


class NoteMissing(ApprovalsError):
    """Say why in the note: {verdict!r} on a gate of {risk} risk needs a reason."""

    code = "note_missing"
    status = 422


class NoteTooLong(ApprovalsError):
    """The text has {length} characters; shorten it to {limit}."""

    code = "note_too_long"
    status = 422


class TextMissing(ApprovalsError):
    """There is nothing to post; write the comment first."""

    code = "text_missing"
    status = 422


class InvalidAnswer(ApprovalsError):
    """The answer does not fit what the next step expects at {path}: {problem}."""

    code = "invalid_answer"
    status = 422


class ChecklistIncomplete(ApprovalsError):
    """Tick each point of the list that you have checked, then approve ({what})."""

    code = "checklist_incomplete"
    status = 422


class AppraisalInvalid(ApprovalsError):
    """Nothing was decided: {what} is unknown here; use {known}."""

    code = "appraisal_invalid"
    status = 422


class CauseMissing(ApprovalsError):
    """Nothing was decided: gate {gate_id} wants a root cause with each change or refusal; choose at least one."""

    code = "cause_missing"
    status = 422


class RatingMissing(ApprovalsError):
    """Nothing was decided: gate {gate_id} wants each output rated; give it 1 to 5."""

    code = "rating_missing"
    status = 422


class FeedbackNotFound(ApprovalsError):
    """There is no {what}, or you may not see it."""

    code = "feedback_not_found"
    status = 404


class FeedbackRefused(ApprovalsError):
    """It was not sent: {why}."""

    code = "feedback_refused"
    status = 422


class FeedbackTooOften(ApprovalsError):
    """Too much was sent through this address just now; wait {minutes} minutes and send it again."""

    code = "feedback_too_often"
    status = 429


class OutcomeMissing(ApprovalsError):
    """Say what was done about it, or why nothing was; then it is closed."""

    code = "outcome_missing"
    status = 422


class ReasonNeeded(ApprovalsError):
    """Say why; everybody who looks at this gate later will read it."""

    code = "reason_needed"
    status = 422


class EditImpossible(ApprovalsError):
    """The gate of step {step} was not changed: {what}. Change it in the editor instead."""

    code = "edit_impossible"
    status = 422


class ProposalSettled(ApprovalsError):
    """Proposal {number} is {status} already; nothing was changed."""

    code = "proposal_settled"


class ProposalOutdated(ApprovalsError):
    """The gate of proposal {number} is another by now, so its figures are for something else; nothing was changed."""

    code = "proposal_outdated"


class ProposalNeedsAnother(ApprovalsError):
    """You accepted proposal {number} already; this gate needs a second person to agree."""

    code = "proposal_needs_another"
    status = 403


class QuestionRefused(ApprovalsError):
    """The agent was not asked: {why}."""

    code = "question_refused"
    status = 422


class BatchRefused(ApprovalsError):
    """Nothing was decided: {why}."""

    code = "batch_refused"
    status = 422


class SnoozeRefused(ApprovalsError):
    """It stays on your list: its deadline, {deadline:%d %b %H:%M} UTC, is too near to put it aside."""

    code = "snooze_refused"
    status = 422


class ViewRefused(ApprovalsError):
    """The view was not kept: {why}."""

    code = "view_refused"
    status = 422


class EscalationRefused(ApprovalsError):
    """Gate {gate_id} stays where it is: nobody further is left to ask. Hand it to a person, or decide it."""

    code = "escalation_refused"
    status = 422


class KeysRefused(ApprovalsError):
    """The keys are as they were: {why}."""

    code = "keys_refused"
    status = 422


class CalendarRefused(ApprovalsError):
    """The business hours are as they were: {why}."""

    code = "calendar_refused"
    status = 422


class CaseNotFound(ApprovalsError):
    """Gold case {case_id} does not exist, or it is of a queue that you may not see."""

    code = "case_not_found"
    status = 404


class LookNotFound(ApprovalsError):
    """That second look does not exist, or it is not yours to give."""

    code = "look_not_found"
    status = 404


class LookTaken(ApprovalsError):
    """Somebody has given this second look already; there are others on the page."""

    code = "look_taken"


class PromiseRefused(ApprovalsError):
    """The queue promises what it did before: {why}."""

    code = "promise_refused"
    status = 422


class TokenInvalid(ApprovalsError):
    """This token is not accepted: {reason}. Create a new one on the access page."""

    code = "token_invalid"
    status = 401


class TokenNotRenewable(ApprovalsError):
    """This token is not renewed: {reason}. Its owner, or an operator, makes another one."""

    code = "token_not_renewable"


class NameTaken(ApprovalsError):
    """There is an account named {name!r} already; choose another name, or change that one's roles."""

    code = "name_taken"


class UnknownName(ApprovalsError):
    """There is no {what} named {name!r}; choose one of {known}."""

    code = "unknown_name"
    status = 404


class ChannelRefused(ApprovalsError):
    """That cannot be told to: {problem}."""

    code = "channel_refused"
    status = 422


class ChannelNotFound(ApprovalsError):
    """That channel does not exist, or it is not yours to change."""

    code = "channel_not_found"
    status = 404


class TooManyChannels(ApprovalsError):
    """There are {limit} channels already; remove one first."""

    code = "too_many_channels"
    status = 422


class BadHours(ApprovalsError):
    """Quiet hours need {problem}."""

    code = "bad_hours"
    status = 422
