"""Every address and every live topic against every kind of person. What has no line here fails (SCENARIO 63)."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from approvals.models import Gate
from approvals.services import decide
from config.api.assembly import api
from config.api.limits import buckets
from monitoring import admission, topics
from orchestrator import answer_tokens
from tests import people
from tests.security.cast import CALLBACK, PERSONAS, World, world

pytestmark = pytest.mark.django_db

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REASON = {"reason": "because"}
VERDICT = {"version": 1, "verdict": "approve", "note": "fine"}
PUBLISHED = {"source": "metadata: {name: incident, title: Incident}"}
START = {"workflow": "incident", "input": {}}

# Columns: see PERSONAS. In them:
# +  answered: done, shown, or refused for what was asked and not for who asked
# -  403: they may know of it but not do it            .  404: for them it does not exist
# >  sent to the sign-in page                          !  401
#                                            ano nob oth vie wat rev req man dev eng qua coo ana Rev aud adm sup
PAGES = """
GET alerts/                                  >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET alerts/history/                          >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET alerts/rules/                            >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET alerts/rules/new/                        >   -   -   -   -   -   -   +   -   +   -   +   +   -   -   -   +
POST alerts/rules/new/                       >   -   -   -   -   -   -   +   -   +   -   +   +   -   -   -   +
POST alerts/rules/try/                       >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET alerts/rules/<slug:name>/                >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST alerts/rules/<slug:name>/               >   -   -   -   -   -   -   +   -   +   -   +   +   -   -   -   +
POST alerts/rules/<slug:name>/remove/        >   -   -   -   -   -   -   +   -   +   -   +   +   -   -   -   +
GET alerts/silences/                         >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST alerts/silences/<int:pk>/end/           >   -   -   -   -   -   -   +   +   +   +   +   -   -   -   +   +
GET alerts/on-call/                          >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST alerts/on-call/                         >   -   -   -   -   -   -   +   -   +   -   +   +   -   -   -   +
GET alerts/runbooks/                         >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET alerts/runbooks/<slug:name>/             >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET alerts/<int:pk>/                         >   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST alerts/<int:pk>/acknowledge/            >   -   .   -   .   .   .   +   +   +   +   +   -   .   -   +   +
POST alerts/<int:pk>/assign/                 >   -   .   -   .   .   .   +   +   +   +   +   -   .   -   +   +
POST alerts/<int:pk>/silence/                >   -   .   -   .   .   .   +   +   +   +   +   -   .   -   +   +
POST alerts/<int:pk>/steps/<slug:key>/       >   -   .   -   .   .   .   +   +   +   +   +   -   .   -   +   +
GET analytics/                               >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET analytics/behind/<slug:key>/             >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET analytics/workflows/<slug:name>/         >   -   .   +   -   -   -   +   +   +   +   +   +   -   +   +   +
POST analytics/workflows/<slug:name>/promise/ >   -   .   -   -   -   -   +   -   -   -   -   -   -   -   -   +
POST analytics/workflows/<slug:name>/baseline/ >   -   .   -   -   -   -   +   -   -   -   -   -   -   -   -   +
GET analytics/digests/                       >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET analytics/digests/<int:pk>/              >   -   .   .   -   -   -   .   .   .   .   .   .   -   .   .   .
GET analytics/digests/<slug:kind>/running/   >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
POST analytics/digests/<slug:kind>/wish/     >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET analytics/costs/                         >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET analytics/costs/worth/                   >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET analytics/costs/statements/<str:month>/  >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET analytics/costs/savings/<str:month>/     >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
POST analytics/costs/tiers/                  >   -   -   -   -   -   -   +   -   -   -   -   -   -   -   -   +
POST analytics/costs/tiers/<int:team>/sponsor/ >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET feedback/                                >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET feedback/patterns/                       >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET feedback/lessons/                        >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET feedback/improvements/                   >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET feedback/proposals/                      >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET feedback/backtest/                       >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET feedback/retrospective/                  >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST feedback/retrospective/                 >   -   -   -   -   -   -   +   +   -   +   -   -   -   -   -   +
GET feedback/usability/                      >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST feedback/usability/record/              >   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
POST feedback/usability/<int:pk>/find/       >   -   -   -   -   -   -   -   .   -   .   -   -   -   -   -   .
POST feedback/usability/findings/<int:pk>/close/ >   -   -   -   -   -   -   -   .   -   .   -   -   -   -   -   .
POST feedback/survey/                        >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET feedback/give/                           >   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST feedback/give/                          >   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET feedback/links/                          >   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST feedback/links/                         >   -   .   -   .   .   .   +   +   +   -   -   -   .   -   -   +
POST feedback/links/<int:pk>/revoke/         >   -   .   -   .   .   .   +   +   +   -   -   -   .   -   -   +
POST feedback/<int:pk>/answer/               >   -   .   -   .   .   .   -   +   -   +   -   -   .   -   -   +
GET feedback/lessons/export.jsonl            >   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
POST feedback/lessons/<int:pk>/choose/       >   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
POST feedback/improvements/<int:pk>/close/   >   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
POST feedback/lessons/draft/                 >   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
GET feedback/proposals/<int:pk>/             >   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST feedback/proposals/<int:pk>/accept/     >   -   .   -   .   .   .   +   -   -   -   -   -   .   -   -   +
POST feedback/proposals/<int:pk>/decline/    >   -   .   -   .   .   .   +   -   -   -   -   -   .   -   -   +
POST feedback/backtest/<slug:name>/          >   -   .   -   .   .   .   +   -   -   -   -   -   .   -   -   +
GET feedback/form/<secret:secret>/           +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST feedback/form/<secret:secret>/          +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET feedback/<secret:secret>/                +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET sign-in/code/                            +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET sign-in/passkey/                         +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET sign-in/with/<slug:provider_id>/         .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
GET sign-in/join/<str:secret>/               +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET sign-in/forgotten/                       +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET sign-in/new-password/<uidb64>/<token>/   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET account/app/                             >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET account/app/remove/                      >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
GET account/codes/new/                       >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET account/keys/add/                        >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET account/keys/<int:pk>/remove/            >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
GET account/confirm/                         >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET account/confirm/code/                    >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET account/confirm/passkey/                 >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET account/password/                        >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST sign-in/code/                           +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST sign-in/passkey/                        +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST sign-in/with/<slug:provider_id>/        .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
POST sign-in/join/<str:secret>/              +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST sign-in/forgotten/                      +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST sign-in/new-password/<uidb64>/<token>/  +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST account/app/                            >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST account/app/remove/                     >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
POST account/codes/new/                      >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST account/keys/add/                       >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST account/keys/<int:pk>/remove/           >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
POST account/confirm/                        >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST account/confirm/code/                   >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST account/confirm/passkey/                >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST account/password/                       >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET sign-in/with/<slug:provider_id>/back/    .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
GET sign-in/forgotten/sent/                  +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET account/                                 >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET account/codes/                           >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
GET account/confirm/again/                   >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST account/confirm/again/go/               >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST account/sessions/<int:pk>/end/          >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
POST account/sessions/end/                   >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET account/tokens/                          >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST account/tokens/make/                    >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST account/tokens/<int:pk>/revoke/         >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
POST account/wall/                           >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST account/wall/end/                       >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST account/view-as/end/                    >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST access/people/<int:pk>/view-as/         >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   +   +
GET access/                                  >   .   .   .   .   .   .   +   .   +   +   +   .   .   +   +   +
GET access/people/<int:pk>/                  >   .   .   .   .   .   .   +   .   +   +   +   .   .   +   +   +
GET access/roles/                            >   .   .   .   .   .   .   +   .   +   +   +   .   .   +   +   +
GET access/roles/<int:pk>/                   >   .   .   .   .   .   .   +   .   +   +   +   .   .   +   +   +
GET access/queues/                           >   .   .   .   .   .   .   +   .   +   +   +   .   .   +   +   +
GET access/queues/<slug:name>/               >   .   .   .   .   .   .   +   .   +   +   +   .   .   +   +   +
GET access/responsibilities/                 >   .   .   .   .   .   .   +   .   +   +   +   .   .   +   +   +
GET access/changes/                          >   .   .   .   .   .   .   +   .   +   +   +   .   .   +   +   +
POST access/people/<int:pk>/link/            >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   +   +
POST access/people/<int:pk>/link/end/        >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   +   +
POST access/people/<int:pk>/tokens/<int:token>/revoke/ >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
GET inbox/you/                               >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
POST inbox/you/rested/                       >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
POST inbox/here/                             >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
GET inbox/looks/                             >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
GET inbox/looks/<int:pk>/                    >   -   .   -   .   .   .   .   -   -   .   .   -   -   .   .   .
POST inbox/looks/<int:pk>/                   >   -   .   -   .   .   .   .   -   -   .   .   -   -   .   .   .
GET inbox/oversight/                         >   -   -   -   -   -   -   +   -   -   +   +   +   -   +   +   +
POST inbox/oversight/looks/<int:pk>/         >   -   -   -   -   -   -   -   -   -   +   -   -   -   -   -   +
POST inbox/oversight/cases/<int:pk>/         >   -   -   -   -   -   -   -   -   -   .   -   -   -   -   -   .
POST inbox/oversight/promises/               >   -   -   -   -   -   -   -   -   -   -   .   -   -   -   .   .
POST inbox/<int:pk>/first/                   >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
POST inbox/<int:pk>/activity/                >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
POST inbox/notices/settings/push/            >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST inbox/notices/settings/push/remove/     >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET push-worker.js                           +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET inbox/notices/                           >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST inbox/notices/read/                     >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET inbox/notices/settings/                  >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST inbox/notices/settings/hours/           >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST inbox/notices/settings/channels/        >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST inbox/notices/settings/channels/<int:pk>/ >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST inbox/notices/settings/channels/<int:pk>/remove/ >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST inbox/notices/settings/channels/<int:pk>/test/ >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/messages/                         >   -   -   -   -   -   -   +   +   +   +   -   -   -   +   -   +
GET agents/messages/<uuid:uid>/              >   -   -   -   -   -   -   .   .   .   .   -   -   -   .   -   .
GET agents/prompts/                          >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/prompts/<slug:name>/              >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/prompts/<slug:name>/draft/        >   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
GET agents/prompts/new/                      >   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
GET runs/<int:pk>/words/                     >   .   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST agents/messages/dead/                   >   -   -   -   -   -   -   +   -   +   -   -   -   -   -   -   +
POST agents/messages/routing/                >   -   -   -   -   -   -   +   -   +   -   -   -   -   -   -   +
POST agents/prompts/<slug:name>/<int:number>/act/ >   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
POST agents/prompts/<slug:name>/<int:number>/rendered/ >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST agents/prompts/<slug:name>/draft/       >   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
POST agents/prompts/new/                     >   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
GET                                          >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET act/<slug:scope>/<slug:address>/             >   .   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET act/<slug:scope>/<slug:address>/<slug:name>/ >   .   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
POST act/<slug:scope>/<slug:address>/<slug:name>/ >   .   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
GET agents/                                  >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/guardrails/                       >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST agents/guardrails/rules/                >   -   -   -   -   -   -   -   -   -   -   -   -   -   -   +   +
POST agents/guardrails/consents/             >   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
GET agents/guardrails/reveal/                >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST agents/guardrails/reveal/               >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/memory/                           >   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
POST agents/memory/erase/                    >   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
POST agents/memory/<int:pk>/<slug:verb>/     >   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
GET agents/<slug:name>/                      >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/matrix/                           >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/policies/                         >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/policies/<slug:name>/             >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/tools/                            >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/tools/<str:name>/                 >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/<slug:name>/uses/                 >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/systems/                          >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/workers/                          >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/evaluations/                      >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/evaluations/<int:pk>/             >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/evaluations/<int:pk>/against/<int:other>/ >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/evaluations/<int:pk>/cases/<int:number>/ >   -   -   -   -   -   -   +   +   +   +   +   +   -   +   +   +
GET agents/evaluations/datasets/<int:pk>.jsonl >   -   .   .   .   .   .   .   +   .   +   .   .   .   .   .   +
POST agents/evaluations/items/<int:pk>/close/ >   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
GET agents/quality/                          >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET agents/quality/<slug:name>/              >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST agents/quality/<slug:name>/calibrate/   >   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
POST agents/quality/authority/               >   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
GET api/docs                                 >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET audit/                                   >   -   -   -   -   -   -   +   -   +   +   +   -   -   +   +   +
POST audit/export/                           >   -   -   -   -   -   -   -   -   -   +   -   -   -   +   -   +
POST audit/verify/                           >   -   -   -   -   -   -   -   -   -   +   -   -   -   +   -   +
GET audit/holds/                             >   -   -   -   -   -   -   +   -   +   +   +   -   -   +   +   +
POST audit/holds/place/                      >   -   -   -   -   -   -   -   -   -   +   -   -   -   +   -   +
POST audit/holds/<int:pk>/release/           >   -   -   -   -   -   -   -   -   -   .   -   -   -   .   -   .
POST audit/evidence/                         >   -   -   -   -   -   -   -   -   -   +   -   -   -   +   -   +
POST audit/narrative/                        >   -   -   -   -   -   -   -   -   -   +   -   -   -   +   -   +
GET healthz                                  +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET editor/                                  >   -   -   -   -   -   -   +   -   -   -   -   -   -   -   -   +
GET editor/<slug:name>/                      >   .   .   -   .   .   .   +   -   -   -   -   -   .   -   -   +
POST editor/                                 >   -   -   -   -   -   -   +   -   -   -   -   -   -   -   -   +
POST editor/<slug:name>/                     >   .   .   -   .   .   .   +   -   -   -   -   -   .   -   -   +
GET inbox/                                   >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
GET inbox/<int:pk>/record/                     >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
POST inbox/<int:pk>/record/                    >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
GET inbox/<int:pk>/                          >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
GET inbox/<int:pk>/aftermath/                >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
GET inbox/<int:pk>/hand/                     >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
POST inbox/<int:pk>/hand/                    >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
GET inbox/answers/                           >   -   +   -   -   +   +   +   -   +   -   +   -   -   -   -   +
POST inbox/answers/                          >   -   +   -   -   +   +   +   -   +   -   +   -   -   -   -   +
GET inbox/away/                              >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
POST inbox/away/                             >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
POST inbox/away/<int:pk>/end/                >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
POST inbox/<int:pk>/claim/                   >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
POST inbox/<int:pk>/ask/                     >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
POST inbox/<int:pk>/take-back/               >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
POST inbox/<int:pk>/snooze/                  >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
POST inbox/<int:pk>/wake/                    >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
GET inbox/<int:pk>/alike/                    >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
POST inbox/<int:pk>/alike/                   >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
GET inbox/keys/                              >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
POST inbox/keys/                             >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
GET inbox/sit/                               >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
POST inbox/views/                            >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
POST inbox/views/<int:pk>/remove/            >   -   .   -   .   .   .   .   -   -   .   .   -   -   .   .   .
POST inbox/<int:pk>/let-go/                  >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
GET inbox/going-out/                         >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
POST inbox/<int:pk>/comments/                >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
POST inbox/<int:pk>/decide/                  >   .   .   .   -   +   -   -   .   .   -   +   .   .   -   -   +
POST inbox/<int:pk>/draft/                   >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
POST inbox/<int:pk>/presence/                >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
POST inbox/<int:pk>/release/                 >   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
GET inbox/history/                           >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
GET inbox/standing/                          >   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
GET out-of-service/                          >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET advisor/                                 >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET gallery/                                 >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET gallery/<slug:name>/                     >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
POST gallery/<slug:name>/install/            >   -   -   -   -   -   -   +   -   -   -   -   -   -   -   -   +
POST gallery/<slug:name>/try/<int:number>/   >   -   .   .   -   -   -   .   .   .   .   .   .   -   .   .   .
GET patterns/                                >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET patterns/<slug:name>/                    >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET metrics                                  !   -   -   -   -   -   -   +   -   +   -   -   +   -   -   +   +
GET telemetry/                               >   -   -   -   -   -   -   +   -   +   -   -   +   -   -   +   +
GET readyz                                   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET runs/                                    >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET runs/<int:pk>/                           >   .   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET runs/parts/                              >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET runs/<int:pk>/part/                      >   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
GET runs/<int:pk>/files/<int:artifact_pk>/   >   .   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET runs/incomplete/                         >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET runs/upcoming/                           >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET runs/start/                              >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET tasks/<int:pk>/remedies/                 >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST tasks/<int:pk>/say/                     >   .   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
GET search/                                  >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET teams/                                   >   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET teams/<int:pk>/                          >   .   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET shell/                                   >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET sign-in/                                 +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST sign-in/                                +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST sign-out/                               >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET stop/                                    >   -   -   -   -   -   -   +   +   +   -   +   -   -   -   +   +
POST stop/                                   >   -   -   -   -   -   -   +   -   -   -   +   -   -   -   +   +
GET stop/<int:pk>/                           >   -   -   -   -   -   -   +   +   +   -   +   -   -   -   +   +
GET stop/<int:pk>/lift/                      >   -   -   -   -   -   -   +   -   -   -   +   -   -   -   +   +
POST stop/<int:pk>/lift/                     >   -   -   -   -   -   -   +   -   -   -   +   -   -   -   +   +
POST language/                               +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET styleguide/                              >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET workflows/                               >   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET workflows/<slug:name>/                   >   .   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST workflows/<slug:name>/signals/          >   .   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
POST workflows/<slug:name>/signals/<slug:group>/<slug:verb>/ > . . - . . . + - + - - - . - - +
POST workflows/<slug:name>/schedules/        >   .   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
GET workflows/<slug:name>/schedules/preview/ >   .   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
POST workflows/<slug:name>/schedules/<slug:schedule>/<slug:verb>/ > . . - . . . + - + - - - . - - +
GET workflows/<slug:name>/start/             >   .   .   -   .   .   .   +   +   +   -   -   -   .   -   -   +
POST workflows/<slug:name>/start/            >   .   .   -   .   .   .   +   +   +   -   -   -   .   -   -   +
GET workflows/schema.json                    >   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
"""
#                                            ano nob oth vie wat rev req man dev eng qua coo ana Rev aud adm sup
API = """
GET /alerts                                  !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /alerts/chronic                          !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /alerts/inputs                           !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /alerts/rules                            !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /alerts/rules/test                      !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /alerts/rules/{name}                     !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /alerts/rules/{name}                    !   -   -   -   -   -   -   +   -   +   -   +   +   -   -   -   +
POST /alerts/rules/{name}/remove             !   -   -   -   -   -   -   +   -   +   -   +   +   -   -   -   +
GET /alerts/silences                         !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /alerts/silences                        !   -   -   -   -   -   -   +   +   +   +   +   -   -   -   +   +
POST /alerts/silences/{silence_id}/end       !   -   -   -   -   -   -   +   +   +   +   +   -   -   -   +   +
GET /alerts/on-call                          !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /alerts/on-call                         !   -   -   -   -   -   -   +   -   +   -   +   +   -   -   -   +
GET /alerts/{alert_id}                       !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST /alerts/{alert_id}/acknowledge          !   -   .   -   .   .   .   +   +   +   +   +   -   .   -   +   +
POST /alerts/{alert_id}/assign               !   -   .   -   .   .   .   +   +   +   +   +   -   .   -   +   +
GET /alerts/{alert_id}/runbook               !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST /alerts/{alert_id}/runbook/{step}       !   -   .   -   .   .   .   +   +   +   +   +   -   .   -   +   +
GET /feedback                                !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /feedback                               !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /feedback/patterns                       !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /feedback/lessons                        !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /feedback/improvements                   !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /usability                               !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /usability                              !   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
POST /usability/{round_id}/findings          !   -   -   -   -   -   -   -   .   -   .   -   -   -   -   -   .
POST /usability/findings/{finding_id}/close  !   -   -   -   -   -   -   -   .   -   .   -   -   -   -   -   .
GET /responsibilities                        !   -   -   -   -   -   -   +   -   +   +   +   -   -   +   +   +
GET /responsibilities/on-call                !   -   -   -   -   -   -   +   -   +   +   +   -   -   +   +   +
GET /feedback/survey                         !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /feedback/survey                        !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /feedback/{feedback_id}/answer          !   -   .   -   .   .   .   -   +   -   +   -   -   .   -   -   +
POST /feedback/links                         !   -   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
DELETE /feedback/links/{link_id}             !   -   .   -   .   .   .   +   +   +   -   -   -   .   -   -   +
GET /feedback/lessons.jsonl                  !   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
POST /feedback/lessons/{lesson_id}/choice    !   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
POST /feedback/improvements/{improvement_id}/close !   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
GET /proposals                               !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /proposals/backtest                     !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET /proposals/{proposal_id}                 !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST /proposals/{proposal_id}/accept         !   -   .   -   .   .   .   +   -   -   -   -   -   .   -   -   +
POST /proposals/{proposal_id}/decline        !   -   .   -   .   .   .   +   -   -   -   -   -   .   -   -   +
GET /messages                                !   -   -   -   -   -   -   +   +   +   +   -   -   -   +   -   +
GET /messages/bridges                        !   -   -   -   -   -   -   +   +   +   +   -   -   -   +   -   +
GET /messages/dead                           !   -   -   -   -   -   -   +   +   +   +   -   -   -   +   -   +
GET /messages/subscriptions                  !   -   -   -   -   -   -   +   +   +   +   -   -   -   +   -   +
GET /messages/{uid}                          !   -   -   -   -   -   -   .   .   .   .   -   -   -   .   -   .
GET /prompts                                 !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /prompts/{name}/{number}                 !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /messages                               !   -   -   -   -   -   -   +   -   +   -   -   -   -   -   -   +
POST /messages/dead/requeue                  !   -   -   -   -   -   -   .   -   .   -   -   -   -   -   -   .
POST /messages/replay                        !   -   -   -   -   -   -   .   -   .   -   -   -   -   -   -   .
POST /messages/subscriptions                 !   -   -   -   -   -   -   +   -   +   -   -   -   -   -   -   +
POST /messages/subscriptions/{pk}/remove     !   -   -   -   -   -   -   .   -   .   -   -   -   -   -   -   .
POST /prompts                                !   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
POST /prompts/{name}                         !   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
POST /prompts/{name}/{number}/evidence       !   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   -
POST /prompts/{name}/{number}/publish        !   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
POST /prompts/{name}/{number}/render         !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /prompts/{name}/{number}/send-back      !   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
POST /prompts/{name}/{number}/submit         !   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
PUT /prompts/{name}/{number}                 !   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
GET /telemetry/events                        !   -   -   -   -   -   -   +   -   +   +   +   -   -   +   +   +
GET /telemetry/figures                       !   -   -   -   -   -   -   +   +   +   +   +   +   -   +   +   +
POST /telemetry/figures                      !   -   -   -   -   -   -   +   +   +   -   -   -   -   -   -   +
GET /telemetry/outlets                       !   -   -   -   -   -   -   +   -   +   -   -   +   -   -   +   +
GET /events                                  !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET /policies                                !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /policies/matrix                         !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /policies/{policy}                       !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /policies/check                         !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /tools                                   !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /tools/{tool}                            !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /agents/{agent}/acts                     !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /agents/{name}/service                   !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /agents/{name}/budgets                   !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /agents/{agent}/acts/{act}              !   -   -   -   -   -   -   +   +   -   -   +   -   -   -   +   +
GET /privacy/violations                      !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /privacy/consents                       !   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
POST /privacy/reveals                        !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /privacy/memories                        !   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
POST /privacy/memories/{pk}/{verb}           !   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
POST /privacy/erasures                       !   -   -   -   -   -   -   -   +   -   -   -   -   -   -   -   +
GET /evaluations                             !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /evaluations/datasets                    !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /evaluations/datasets                   !   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
GET /evaluations/datasets/{pk}/jsonl         !   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
POST /evaluations/items/{pk}/close           !   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
GET /evaluations/{pk}                        !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /evaluations/{pk}/against/{other}        !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /evaluations/{pk}/cases                  !   -   -   -   -   -   -   +   +   +   +   +   +   -   +   +   +
GET /metrics                                 !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET /metrics/latency                         !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET /metrics/bottlenecks                     !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET /metrics/behind/{key}                    !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET /metrics/objectives                      !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
PUT /metrics/objectives/{workflow}/{indicator} !   -   .   -   -   -   -   +   -   -   -   -   -   -   -   -   +
DELETE /metrics/objectives/{workflow}/{indicator} !   -   .   -   -   -   -   +   -   -   -   -   -   -   -   -   +
POST /metrics/baselines/{workflow}           !   -   .   -   -   -   -   +   -   -   -   -   -   -   -   -   +
GET /costs                                   !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET /costs/statements/{month}                !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET /costs/savings/{month}                   !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET /costs/tiers                             !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
PUT /costs/tiers/{team}                      !   -   -   -   -   -   -   +   -   -   -   -   -   -   -   -   +
POST /costs/tiers/{team}/sponsor             !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
POST /costs/worth                            !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET /quality/assessments                     !   -   -   -   -   -   -   +   +   +   +   +   +   -   +   +   +
GET /quality/calibrations/{agent}            !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /quality/calibrations/{agent}           !   -   -   -   -   -   -   -   +   -   +   -   -   -   -   -   +
GET /everything/acts                         !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /everything/acts/{act}                  !   -   -   -   -   -   -   +   -   -   -   +   -   -   -   +   +
GET /gates                                   !   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
GET /gates/{gate_id}                         !   -   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
GET /delegations                             !   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
POST /delegations                            !   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
DELETE /delegations/{delegation_id}          !   -   .   -   .   .   .   .   -   -   .   .   -   -   .   .   .
GET /reviewing/me                            !   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
GET /reviewing/looks                         !   -   +   -   +   +   +   +   -   -   +   +   -   -   +   +   +
POST /reviewing/looks/{look_id}              !   -   .   -   .   .   .   .   -   -   .   .   -   -   .   .   .
GET /reviewing/oversight                     !   -   -   -   -   -   -   +   -   -   +   +   +   -   +   +   +
POST /gates/{gate_id}/first                  !   -   .   .   -   +   -   -   .   .   -   +   .   .   -   -   +
PUT /gates/promises/{queue}                  !   -   -   -   -   -   -   -   -   -   -   +   -   -   -   +   +
PUT /gates/calendars/{queue}                 !   -   .   -   -   -   -   -   -   -   -   +   -   -   -   +   +
POST /gates/{gate_id}/assignee               !   -   .   .   -   +   -   -   .   .   -   +   .   .   -   +   +
POST /gates/{gate_id}/decisions              !   -   .   .   -   +   -   -   .   .   -   +   .   .   -   -   +
POST /gates/{gate_id}/take-back              !   -   .   .   -   +   -   -   .   .   -   +   .   .   -   -   +
POST /callbacks/{token}                      +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /groups                                  !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /groups                                 !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
POST /groups/{name}/disable                  !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
POST /groups/{name}/enable                   !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
POST /groups/{name}/remove                   !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
POST /groups/{name}/replay                   !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
GET /runs                                    !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /runs                                   !   -   .   -   .   .   .   +   +   +   -   -   -   .   -   -   +
GET /parts                                   !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /parts/{run_id}                          !   -   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
GET /runs/{run_id}                           !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET /runs/{run_id}/budgets                   !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET /runs/{run_id}/acts                      !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST /runs/{run_id}/acts/{act}               !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
GET /runs/{run_id}/at/{pos}                  !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET /runs/{run_id}/checkpoints               !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET /runs/{run_id}/state                     !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET /runs/{run_id}/state/{key}               !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET /runs/{run_id}/state/{key}/diff          !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET /runs/{run_id}/tasks                     !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET /schedules                               !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /schedules                              !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
GET /schedules/preview                       !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET /schedules/upcoming                      !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /schedules/{name}                        !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST /schedules/{name}/change                !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
POST /schedules/{name}/pause                 !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
POST /schedules/{name}/remove                !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
POST /schedules/{name}/resume                !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
POST /schedules/{name}/run                   !   -   .   -   .   .   .   +   +   +   -   -   -   .   -   -   +
GET /signals                                 !   -   -   -   -   -   -   +   +   +   -   -   -   -   -   -   +
POST /signals                                !   -   -   -   -   -   -   +   +   +   -   -   -   -   -   -   +
GET /stops                                   !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /stops                                  !   -   -   -   -   -   -   +   -   -   -   +   -   -   -   +   +
POST /stops/{stop_id}/lift                   !   -   -   -   -   -   -   +   -   -   -   +   -   -   -   +   +
GET /teams                                   !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /teams/{team}/acts                       !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /teams/{team}/acts/{act}                !   -   -   -   -   -   -   +   -   -   -   -   -   -   -   -   +
GET /teams/{team}/budgets                    !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /teams/{team}/changes                    !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /tasks/{task}/acts                       !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST /tasks/{task}/acts/{act}                !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
POST /tasks/{task}/callback                  !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
GET /tasks/{task}/notes                      !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST /tasks/{task}/notes                     !   -   .   -   .   .   .   +   -   +   -   -   -   .   -   -   +
GET /tasks/{task}                            !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET /notices                                 !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /notices/read                           !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /answers                                !   -   +   -   -   +   +   +   -   +   -   +   -   -   -   -   +
GET /tokens                                  !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /tokens                                 !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
DELETE /tokens/{token_id}                    !   -   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .
POST /workers/answers/{token}                +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /workers/agents                         !   !   !   !   !   !   !   !   !   !   !   !   !   !   !   !   !
POST /workers/calls                          !   !   !   !   !   !   !   !   !   !   !   !   !   !   !   !   !
POST /workers/calls/{call}/release           !   !   !   !   !   !   !   !   !   !   !   !   !   !   !   !   !
POST /workers/calls/{call}/settle            !   !   !   !   !   !   !   !   !   !   !   !   !   !   !   !   !
POST /workers/token                          !   !   !   !   !   !   !   !   !   !   !   !   !   !   !   !   !
POST /workers/heartbeat                      !   !   !   !   !   !   !   !   !   !   !   !   !   !   !   !   !
GET /gallery                                 !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
GET /gallery/{name}                          !   -   +   +   -   -   -   +   +   +   +   +   +   -   +   +   +
POST /gallery/{name}/install                 !   -   -   -   -   -   -   +   -   -   -   -   -   -   -   -   +
GET /workers/seen                            !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
GET /workflows                               !   -   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
POST /workflows                              !   -   -   -   -   -   -   +   -   -   -   -   -   -   -   -   +
POST /workflows/validate                     !   -   -   -   -   -   -   +   -   -   -   -   -   -   -   -   +
GET /workflows/{workflow}/acts               !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
GET /workflows/{name}/budgets                !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
POST /workflows/{workflow}/acts/{act}        !   -   .   -   .   .   .   +   -   +   -   +   -   .   -   -   +
GET /workflows/{name}                        !   -   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
"""
#                                            ano nob oth vie wat rev req man dev eng qua coo ana Rev aud adm sup
TOPICS = """
alerts                                       .   .   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
agents                                       .   .   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
audit                                        .   .   .   .   .   .   .   +   .   +   +   +   .   .   +   +   +
floor                                        .   .   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
inbox                                        .   .   +   .   +   +   +   +   .   .   +   +   .   .   +   +   +
messages                                     .   .   .   .   .   .   .   +   +   +   +   .   .   .   +   .   +
notices                                      .   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
runs                                         .   .   +   +   .   .   .   +   +   +   +   +   +   .   +   +   +
shell                                        .   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +   +
workflows                                    .   .   +   +   .   .   .   +   +   +   +   +   +   .   +   +   +
run:{run}                                    .   .   .   +   .   .   .   +   +   +   +   +   +   .   +   +   +
gate:{gate}                                  .   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
queue:oncall                                 .   .   .   .   +   +   +   +   .   .   +   +   .   .   +   +   +
"""
_PROMPT = {"template": "Hello.", "name": "other", "title": "Other"}
BODIES: dict[str, Any] = {
    "POST alerts/<int:pk>/silence/": {"hours": "1", **REASON},
    "POST /alerts/rules/test": {"title": "Slow", "scope": "agent", "condition": "calls > 1"},
    "POST /alerts/rules/{name}": {"title": "Failed", "scope": "run", "condition": "tasks_failed > 1", **REASON},
    "POST /alerts/silences": {"subject": "x", "until": "2020-01-01T00:00:00Z", **REASON},
    "POST /alerts/on-call": {"people": [], "starts_on": "2026-01-01"},
    "POST agents/prompts/<slug:name>/<int:number>/act/": {"act": "publish", "digest": "x"},
    "POST /prompts": _PROMPT,
    "POST /prompts/{name}": _PROMPT,
    "PUT /prompts/{name}/{number}": {**_PROMPT, "digest": "x"},
    "POST /prompts/{name}/{number}/publish": {"digest": "x"},
    "POST /prompts/{name}/{number}/send-back": {"digest": "x", "note": "again"},
    "POST /prompts/{name}/{number}/evidence": {"suite": "s", "reference": "r", "score": 90, "passed": True},
    "POST /messages/dead/requeue": {"deliveries": [1], **REASON},
    "POST /messages/replay": {"correlation_id": "c", **REASON},
    "POST /messages/subscriptions": {"agent": "assessor", "topic": "alerts"},
    "POST /messages/subscriptions/{pk}/remove": REASON,
    "POST inbox/<int:pk>/decide/": VERDICT,
    "POST /delegations": {
        "delegate": "reviewer",
        "starts_at": "2020-01-01T00:00:00Z",
        "ends_at": "2020-01-02T00:00:00Z",
    },
    "PUT /gates/promises/{queue}": {"within_seconds": 600},
    "POST /gates/{gate_id}/first": {"verdict": "approve"},
    "POST /reviewing/looks/{look_id}": {"says": "accept"},
    "PUT /gates/calendars/{queue}": {"zone": "UTC", "days": [0], "from": "09:00", "to": "17:00"},
    "POST /gates/{gate_id}/assignee": {"to": "reviewer"},
    "POST feedback/lessons/draft/": {"prompt": "greeting"},
    "POST feedback/proposals/<int:pk>/accept/": REASON,
    "POST feedback/proposals/<int:pk>/decline/": REASON,
    "POST feedback/retrospective/": {"title": "May", "concluded": "Name sources."},
    "POST feedback/<int:pk>/answer/": {"status": "dealt", "answer": "done"},
    "POST feedback/improvements/<int:pk>/close/": {"outcome": "done"},
    "POST /feedback": {"agent": "assessor", "rating": 3},
    "POST /feedback/{feedback_id}/answer": {"status": "dealt", "answer": "done"},
    "POST /feedback/links": {"run": 2**40, "about": "a", "queue": "oncall"},
    "POST /feedback/lessons/{lesson_id}/choice": {"accepted": True},
    "POST /feedback/improvements/{improvement_id}/close": {"outcome": "done"},
    "POST /feedback/survey": {"score": 9},
    "POST /usability": {
        "title": "June",
        "held_on": "2026-06-02",
        "method": "Moderated.",
        "groups": ["a", "b"],
        "people": 2,
        "tries": 4,
        "done": 3,
    },
    "POST /usability/{round_id}/findings": {"text": "The slider is silent.", "severity": "minor"},
    "POST /usability/findings/{finding_id}/close": {"remedy": "It has a label."},
    "POST /proposals/backtest": {"workflow": "incident", "step": "assess"},
    "POST /proposals/{proposal_id}/accept": REASON,
    "POST /proposals/{proposal_id}/decline": REASON,
    "PUT /metrics/objectives/{workflow}/{indicator}": {"share": 0.9, "within_ms": 1000},
    "POST /metrics/baselines/{workflow}": {"minutes": 5, "source": "a guess"},
    "PUT /costs/tiers/{team}": {"level": "bronze", **REASON},
    "POST /costs/worth": {"runs": 1, "by_hand": 1, "wage": 1, "per_run": 1},
    "POST inbox/<int:pk>/comments/": {"text": "a remark"},
    "POST inbox/<int:pk>/draft/": {"note": "half a thought"},
    "POST act/<slug:scope>/<slug:address>/<slug:name>/": REASON,
    "POST stop/": {"what": "everything", **REASON},
    "POST editor/": PUBLISHED,
    "POST editor/<slug:name>/": PUBLISHED,
    "POST stop/<int:pk>/lift/": REASON,
    "POST workflows/<slug:name>/start/": {"as": "json", "json": '{"host": "a"}'},
    "POST gallery/<slug:name>/install/": REASON,
    "POST /gallery/{name}/install": REASON,
    "POST /workflows": PUBLISHED,
    "POST /workflows/validate": PUBLISHED,
    "POST /runs": START,
    "POST /telemetry/figures": {"name": "tickets_closed", "value": 1, "key": "t1"},
    "POST /runs/{run_id}/acts/{act}": REASON,
    "POST /tasks/{task}/acts/{act}": REASON,
    "POST /tasks/{task}/notes": {"text": "mind the budget"},
    "POST /workflows/{workflow}/acts/{act}": REASON,
    "POST /agents/{agent}/acts/{act}": REASON,
    "POST /policies/check": {"agent": "assessor", "tool": "test.tool"},
    "POST /everything/acts/{act}": REASON,
    "POST /teams/{team}/acts/{act}": {"answers": {"resource": "tokens", "limit": 5}, **REASON},
    "POST /gates/{gate_id}/decisions": VERDICT,
    "POST /groups": {"name": "other", "workflow": "incident", "signal": "order.paid"},
    **{f"POST /groups/{{name}}/{verb}": REASON for verb in ("disable", "enable", "remove")},
    "POST /groups/{name}/replay": {"position": 0, **REASON},
    "POST /schedules": {"name": "other", "workflow": "incident", "cron": "0 2 * * *", "input": {"host": "a"}, **REASON},
    "POST /schedules/{name}/change": {"cron": "0 3 * * *", "input": {"host": "a"}, **REASON},
    **{f"POST /schedules/{{name}}/{verb}": REASON for verb in ("pause", "remove", "resume", "run")},
    "POST /signals": {"name": "order.paid"},
    "POST /tasks/{task}/callback": REASON,
    "POST agents/memory/<int:pk>/<slug:verb>/": REASON,
    "POST /privacy/memories/{pk}/{verb}": REASON,
    "POST /privacy/erasures": {"subject": "c-7", **REASON},
    "POST /privacy/reveals": {"sealed": "x", "purpose": "p", **REASON},
    "POST /privacy/consents": {"subject": "c-7", "purpose": "memory", "granted": True, "evidence": "form"},
    "POST /stops": {"scope": "everything", **REASON},
    "POST /stops/{stop_id}/lift": REASON,
    "POST /workers/answers/{token}": {"output": {}},
    "POST agents/evaluations/items/<int:pk>/close/": REASON,
    "POST /evaluations/items/{pk}/close": REASON,
    "POST /evaluations/datasets": {"name": "mine", "cases": [{"input": {"a": 1}}]},
    "POST /answers": {"reason": "because", "answers": [{"run": 1, "step": "a", "answer": {}}]},
    "POST inbox/answers/": {"text": "run,step\n1,a\n", **REASON},
    "POST /tokens": {"name": "mine", "scopes": ["read"]},
    "POST account/tokens/make/": {"name": "mine", "scopes": ["read"]},
}
# What the parts of a pattern stand for in the world of the tests.
NOBODYS = "00000000-0000-4000-8000-000000000001"  # no message has this id: those who may see any are told so
NAMES = {
    "alerts/rules/<slug:name>": "alerts/rules/failed-run", "alerts/runbooks/<slug:name>": "alerts/runbooks/token-surge",
    "alerts/silences/<int:pk>": "alerts/silences/{silence}", "alerts/<int:pk>": "alerts/{alert}",
    "steps/<slug:key>": "steps/look", "/alerts/rules/{name}": "/alerts/rules/failed-run", "{alert_id}": "{alert}",
    "{silence_id}": "{silence}", "/runbook/{step}": "/runbook/look",
    "/behind/{key}": "/behind/alone", "behind/<slug:key>": "behind/alone", "{indicator}": "completion",
    "<str:month>": "2026-01", "{month}": "2026-01", "tiers/<int:team>": "tiers/{team}",
    "digests/<slug:kind>": "digests/weekly", "digests/<int:pk>": "digests/1",
    "inbox/views/<int:pk>": "inbox/views/1",
    "channels/<int:pk>": "channels/1",
    "audit/holds/<int:pk>": "audit/holds/1",
    "feedback/give/": "feedback/give/?run={run}", "feedback/links/<int:pk>": "feedback/links/{link}",
    "feedback/lessons/<int:pk>": "feedback/lessons/{lesson}", "<secret:secret>": "a" * 43,
    "feedback/improvements/<int:pk>": "feedback/improvements/{improvement}",
    "feedback/usability/<int:pk>": "feedback/usability/1", "usability/findings/<int:pk>": "usability/findings/1",
    "feedback/proposals/<int:pk>": "feedback/proposals/{proposal}", "feedback/<int:pk>": "feedback/{feedback}",
    "feedback/backtest/<slug:name>": "feedback/backtest/{workflow}",
    "{feedback_id}": "{feedback}", "{link_id}": "{link}", "{lesson_id}": "{lesson}",
    "{round_id}": "1", "{finding_id}": "1", "{improvement_id}": "{improvement}", "{proposal_id}": "{proposal}",
    "access/people/<int:pk>": "access/people/{person}", "access/roles/<int:pk>": "access/roles/{team}",
    "access/queues/<slug:name>": "access/queues/oncall", "tokens/<int:token>": "tokens/1",
    **{f"account/{what}/<int:pk>": f"account/{what}/1" for what in ("keys", "sessions", "tokens")},
    "<str:secret>": "a" * 43, "<slug:provider_id>": "sso", "<uidb64>/<token>": "MQ/x",
    "inbox/<int:pk>": "inbox/{gate}", "runs/<int:pk>": "runs/{run}", "<int:artifact_pk>": "{file}",
    "<slug:scope>/<slug:address>/<slug:name>": "run/{run}/pause", "<slug:scope>/<slug:address>": "run/{run}",
    "/teams/{team}/acts/{act}": "/teams/{team}/acts/set-budget", "teams/<int:pk>": "teams/{team}",
    "{act}": "pause",
    "agents/prompts/<slug:name>/<int:number>": "agents/prompts/greeting/1",
    "agents/prompts/<slug:name>": "agents/prompts/greeting",
    "/prompts/{name}/{number}": "/prompts/greeting/1", "/prompts/{name}": "/prompts/greeting",
    "messages/<uuid:uid>": f"messages/{NOBODYS}", "{uid}": NOBODYS,
    "inbox/looks/<int:pk>": "inbox/looks/1", "inbox/oversight/looks/<int:pk>": "inbox/oversight/looks/1",
    "inbox/oversight/cases/<int:pk>": "inbox/oversight/cases/1", "{look_id}": "1",
    "{call}": "{task}", "{delegation_id}": "1", "{queue}": "oncall", "inbox/away/<int:pk>": "inbox/away/1",
    "agents/memory/<int:pk>/<slug:verb>": "agents/memory/1/delete", "/memories/{pk}/{verb}": "/memories/1/delete",
    "tasks/<int:pk>": "tasks/{task}",
    "patterns/<slug:name>": "patterns/swarm",
    "gallery/<slug:name>": "gallery/in-sequence", "/gallery/{name}": "/gallery/in-sequence",
    "try/<int:number>": "try/0",
    "tools/<str:name>": "tools/test.tool", "/tools/{tool}": "/tools/test.tool",
    "policies/<slug:name>": "policies/incident", "/policies/{policy}": "/policies/incident",
    "workflows/<slug:name>": "workflows/{workflow}", "agents/<slug:name>": "agents/{agent}",
    "stop/<int:pk>": "stop/{stop}", "editor/<slug:name>": "editor/{workflow}",
    "/workflows/{name}": "/workflows/{workflow}", "/agents/{name}": "/agents/{agent}",
    "{run_id}": "{run}", "{gate_id}": "{gate}", "{stop_id}": "{stop}",
    "/workers/answers/{token}": f"/workers/answers/{answer_tokens.issue(1, 1)}",
    "{token_id}": "1", "{token}": CALLBACK, "/groups/{name}": "/groups/listener",
    "{key}": "shared.x",
    "<slug:group>/<slug:verb>": "listener/disable",
    "evaluations/<int:pk>/cases/<int:number>": "evaluations/1/cases/1",
    "evaluations/<int:pk>/against/<int:other>": "evaluations/1/against/2", "evaluations/<int:pk>": "evaluations/1",
    "evaluations/datasets/<int:pk>": "evaluations/datasets/1", "evaluations/items/<int:pk>": "evaluations/items/1",
    "agents/quality/<slug:name>": "agents/quality/{agent}", "{pk}": "1", "{other}": "2",
    "/schedules/{name}": "/schedules/nightly", "<slug:schedule>/<slug:verb>": "nightly/pause",
}  # fmt: skip


@cache
def rows(table: str) -> dict[str, str]:
    """A table's lines by route; the columns without their spaces."""
    lines = [line.split() for line in table.splitlines() if line]
    columns = len(PERSONAS)
    return {" ".join(words[:-columns]): "".join(words[-columns:]) for words in lines}


def routes() -> set[str]:
    """The patterns of everything but the REST routes, which their own document lists."""
    return {path for path in _paths(get_resolver()) if not path.startswith("api/v1/")}


def _paths(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for found in resolver.url_patterns:
        path = before + str(found.pattern)
        if isinstance(found, URLPattern):
            yield path
        else:
            yield from _paths(found, path)


def operations() -> set[str]:
    """The REST routes, as their OpenAPI document lists them."""
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, operations in api.get_openapi_schema()["paths"].items()
        for method in operations
    }


@cache
def address(route: str) -> str:
    """The address of a page or REST route, with names of real things to fill in."""
    _, _, path = route.partition(" ")
    for pattern, name in NAMES.items():
        path = path.replace(pattern, name)
    path += "?run={run}" if path == "feedback/links/" else ""
    return f"/api/v1{path}" if path.startswith("/") else f"/{path}"


def ask(client: Client, there: World, route: str) -> Any:
    """Send one request whose effects are undone."""
    with transaction.atomic():
        response = send(client, there, route)
        transaction.set_rollback(True)
    return response


def send(client: Client, there: World, route: str) -> Any:
    method, _, _ = route.partition(" ")
    is_api = address(route).startswith("/api/v1")
    body = BODIES.get(route, {})
    kind = {"content_type": "application/json"} if is_api and method != "GET" else {}
    return getattr(client, method.lower())(there.fill(address(route)), body, **kind)


def mark(response: Any) -> str:
    """One character for an answer."""
    if response.status_code == 302 and response["Location"].startswith("/sign-in/?"):
        return ">"
    return {401: "!", 403: "-", 404: ".", 405: "x"}.get(
        response.status_code, "?" if response.status_code >= 500 else "+"
    )


@pytest.fixture(autouse=True)
def full_buckets() -> Iterator[None]:
    buckets.clear()
    yield
    buckets.clear()


@pytest.fixture(scope="module")
def there(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """One world for all: every test's own changes end with it, the world with the module."""
    with django_db_blocker.unblock(), transaction.atomic():
        made = world()
        for persona in PERSONAS:
            made.browser(persona)  # signing in writes; what is asked afterwards must not
        yield made
        transaction.set_rollback(True)


def test_every_route_has_a_line(there):
    """What has a line is asked by the test below, where an address that does not answer is a mismatch."""
    listed = set(rows(PAGES))
    addresses = {f"{method} {path}".strip() for path in routes() for method in METHODS}

    unlisted = addresses - listed

    assert {route for route in unlisted if ask(there.browser("superuser"), there, route).status_code != 405} == set()
    assert listed <= addresses
    assert operations() == set(rows(API))


# Opening one of these puts what the answer will be held against into the session: a secret or a challenge.
CHALLENGES = {"GET account/app/", "GET account/keys/add/", "GET account/confirm/passkey/"}
ASKED = {"GET metrics"}  # notes that somebody asks: nothing is counted for nobody


@pytest.mark.parametrize("route", [*rows(PAGES), *rows(API)])
def test_route_answers_everybody_as_the_matrix_says_and_reading_changes_no_row(there, route):
    reads = route.startswith("GET") and route not in CHALLENGES | ASKED
    before = rows_written() if reads else 0

    # What is read leaves nothing to undo, as is held below; rows count even if they are taken back.
    one = send if reads else ask
    found = "".join(mark(one(there.browser(persona), there, route)) for persona in PERSONAS)

    assert found == (rows(PAGES) | rows(API))[route], f"{' '.join(PERSONAS.values())}"
    if reads:
        assert rows_written() == before


def test_every_topic_has_a_line():
    families = {name.split(":")[0] for name in rows(TOPICS) if ":" in name}

    assert {name for name in rows(TOPICS) if ":" not in name} == topics.PLAIN
    assert families == {"run", "gate", "queue"}
    assert not any(topics.is_topic(f"{family}:1") for family in ("agent", "workflow", "user", "task", "stop"))


@pytest.mark.parametrize("topic", rows(TOPICS))
def test_topic_lets_in_whom_the_matrix_says(there, topic):
    name = topic.format(run=there.run.pk, gate=there.gate.pk)

    found = "".join("+" if _is_admitted(there, persona, name) else "." for persona in PERSONAS)

    assert found == rows(TOPICS)[topic]


def _is_admitted(there: World, persona: str, topic: str) -> bool:
    user = there.user(persona)  # a socket of somebody who is not signed in is closed before it can ask
    return isinstance(user, User) and bool(admission.admitted(user, [topic]))


def test_claim_of_whoever_may_not_decide_is_no_claim(there):
    for persona in ("watcher", "requester", "Workflow Orchestration Manager", "Auditor", "Administrator"):
        there.browser(persona).post(f"/inbox/{there.gate.pk}/claim/")

        assert Gate.objects.get(pk=there.gate.pk).claimed_by is None


def test_lists_hold_nothing_of_others(there):
    """A page that answers everybody shows each only what is theirs."""
    for path in ("/inbox/?all=1", "/runs/", "/workflows/", "/search/?q=isolate", "/search/?q=incident", "/"):
        page = there.browser("other").get(path)

        assert page.status_code == 200
        assert there.gate.title not in page.text
        assert f"/runs/{there.run.pk}/" not in page.text
        assert "/workflows/incident/" not in page.text


def test_precedents_of_a_queue_that_one_may_not_see_are_left_out(there):
    past = people.gate(of=people.run(), title="A case of another team", queue="elsewhere")
    decide(gate_id=past.pk, by=there.persons["other"], verdict="approve", gate_version=1)

    cards = {
        persona: there.browser(persona).get(f"/inbox/{there.gate.pk}/").text for persona in ("reviewer", "superuser")
    }

    assert "A case of another team" not in cards["reviewer"]
    assert "A case of another team" in cards["superuser"]


def test_writing_changes_a_row(there):
    """What the test above counts is really counted."""
    before = rows_written()

    there.browser("reviewer").post(f"/inbox/{there.gate.pk}/presence/")

    assert rows_written() > before


def rows_written() -> int:
    """Rows that this transaction has inserted, updated or deleted so far, in any table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables")
        return int(cursor.fetchone()[0])
