"""The matrix of roles."""

import pytest

from approvals import roles

DECIDERS = {"Human Oversight Coordinator"}


def test_nine_roles_are_there():
    assert len(roles.ROLES) == 9


@pytest.mark.parametrize("role", list(roles.ROLES))
def test_role_holds_known_verbs_only(role):
    assert roles.ROLES[role] <= set(roles.VERBS)


def test_only_the_oversight_coordinator_decides_everywhere():
    assert {role for role, verbs in roles.ROLES.items() if "decide_gate" in verbs} == DECIDERS


def test_nobody_both_manages_access_and_decides():
    assert not [role for role, verbs in roles.ROLES.items() if {"manage_access", "decide_gate"} <= verbs]


def test_auditor_changes_nothing():
    assert all(verb.startswith(("see_", "verify_", "use_")) for verb in roles.ROLES["Auditor"])


def test_every_grant_and_scope_names_known_verbs():
    for meaning in (roles.WORKFLOW_GRANTS, roles.QUEUE_GRANTS, roles.AGENT_GRANTS, roles.SCOPES):
        assert frozenset().union(*meaning.values()) <= set(roles.VERBS)


def test_verbs_of_an_unknown_role_are_none():
    assert roles.verbs_of({"Emperor"}) == frozenset()


@pytest.mark.parametrize(("may_decide", "expected"), [(True, True), (False, False)])
def test_verbs_of_token_decide_only_where_the_token_itself_may(may_decide, expected):
    assert ("decide_gate" in roles.verbs_of_token(["decide"], may_decide=may_decide)) is expected


def test_verbs_of_token_without_scope_or_with_an_unknown_one_are_none():
    assert roles.verbs_of_token([], may_decide=True) == frozenset()
    assert roles.verbs_of_token(["everything"], may_decide=True) == frozenset()
