"""What the database refuses is refused whatever a session has set: no trigger asks pgtrigger whether to look away."""

import re

import pgtrigger
import pytest
from django.apps import apps
from django.db import connection

from ledger.management.commands import grant_application_role as granting
from ledger.models import Entry
from ledger.triggers import Refuse
from tests.project.tree import ROOT

ASKS_WHETHER_TO_LOOK_AWAY = "_pgtrigger_should_ignore"
TRIGGERS = [
    pytest.param(model, trigger, id=f"{model._meta.label}:{trigger.name}")
    for model in apps.get_models()
    for trigger in getattr(model._meta, "triggers", ())
]


def looks_away(trigger, model):
    return ASKS_WHETHER_TO_LOOK_AWAY in str(trigger.compile(model).install_sql)


@pytest.mark.parametrize(("model", "trigger"), TRIGGERS)
def test_no_trigger_of_a_model_can_be_put_to_sleep(model, trigger):
    assert not looks_away(trigger, model), "use ledger.triggers or ledger.guards"


def test_the_scan_tells_a_trigger_that_sleeps_from_one_that_does_not():
    facts = {"name": "facts", "operation": pgtrigger.Update}

    assert looks_away(pgtrigger.Protect(**facts), Entry)
    assert not looks_away(Refuse(**facts), Entry)


def test_no_fact_is_locked_which_the_programs_role_may_not_do():
    """A lock asks for the right to update; tests come as the owner, and would not notice."""
    refused = set(granting._refused())
    facts = {
        model.__name__ for model in apps.get_models() if (model._meta.db_table, "UPDATE") in refused
    }
    locked = [
        (path.name, name)
        for app in ("ledger", "subnets", "compute", "marketplace")
        for path in (ROOT / app).rglob("*.py")
        for name in re.findall(r"\b(\w+)\.objects\b[^\n]*\.?select_for_update\(", path.read_text())
    ]

    assert len(facts) > 20
    assert len(locked) > 20
    assert [(file, name) for file, name in locked if name in facts] == []


@pytest.mark.django_db
def test_no_trigger_that_is_installed_can_be_put_to_sleep():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
            " WHERE NOT tgisinternal AND prosrc LIKE %s",
            [f"%{ASKS_WHETHER_TO_LOOK_AWAY}%"],
        )
        assert cursor.fetchall() == []
        cursor.execute("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal")
        assert cursor.fetchone()[0] == len(TRIGGERS)
