"""The house rules that no other tool owns: each a question to a file, with a text that breaks it and one that keeps it.

Exceptions are named in `excused`, each with its reason; one that excuses nothing any more is itself a fault.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.project import finders, tree

Found = Iterator[tuple[int, str]]

EDGES = {
    "admin",
    "api",
    "events",
    "gateway",
    "fanout",
    "management",
    "pages",
    "tasks",
    "templatetags",
    "webhooks",
}


@dataclass(frozen=True, eq=False)
class HouseRule:
    """One rule. bad, good: file name and text; the rule must find the first and pass the second."""

    name: str
    reaches: Callable[[str], bool]
    find: Callable[[str, str], Found]
    bad: tuple[str, str] = field(repr=False)
    good: tuple[str, str] = field(repr=False)
    excused: Mapping[str, str] = field(default_factory=dict)


def app_python(name):
    return tree.is_python(name) and tree.in_app(name, *tree.APPS)


def server_python(name):
    return tree.is_python(name) and tree.in_app(name, *tree.SERVER_APPS)


def timeless(name):
    """Tell code that is told the time: operations, queries, models, and everything pure."""
    return server_python(name) and tree.room(name) not in EDGES


def outside_operations(name):
    return server_python(name) and tree.room(name) != "operations"


def says_what_it_does(name):
    inside = server_python(name) and tree.room(name) in {"operations", "queries"}
    return inside or (app_python(name) and tree.is_pure(name))


RULES = (
    HouseRule(
        "a file has at most 400 lines",
        tree.is_python,
        finders.long_files,
        bad=("a.py", "x = 1\n" * 401),
        good=("a.py", "x = 1\n" * 400),
    ),
    HouseRule(
        "a function fits a screen",
        lambda name: tree.is_python(name) and not name.startswith("tests/flows/"),
        finders.long_functions,
        bad=("a.py", "def f():\n" + "    x = 1\n" * 50),
        good=("a.py", "def f():\n" + "    x = 1\n" * 49),
    ),
    HouseRule(
        "a module is named by a noun",
        tree.is_python,
        finders.vague_modules,
        bad=("ledger/utils.py", ""),
        good=("ledger/money.py", ""),
    ),
    HouseRule(
        "a class is named by what it is",
        tree.is_python,
        finders.vague_classes,
        bad=("a.py", "class BidManager: ..."),
        good=("a.py", "class Management: ..."),
    ),
    HouseRule(
        "a quantity carries its unit",
        app_python,
        finders.bare_quantities,
        bad=("a.py", "def pay(amount: int): ..."),
        good=("a.py", "def pay(amount_rao: int): ..."),
        excused={
            "marketplace/pages/wording.py:three_digits(amount)": "its unit is the second argument",
            "marketplace/egress.py:(timeout)": "httpcore names it so, and calls it by name",
        },
    ),
    HouseRule(
        "a constraint is named by app, model and claim",
        lambda name: server_python(name) and tree.room(name) == "models",
        finders.unnamed_constraints,
        bad=(
            "ledger/models.py",
            "class Hold:\n class Meta:\n  constraints = [CheckConstraint(name='positive')]",
        ),
        good=(
            "ledger/models.py",
            "class Hold:\n class Meta:\n  constraints = [CheckConstraint(name='ledger_hold_is_positive')]",
        ),
        excused={
            "marketplace/models/cards.py:'marketplace_webhook_waiting'": "the model's full name would pass the 30 characters of an index",
            "subnets/models/rules.py:'a constraint'": "an index too, named by Django for the same reason",
        },
    ),
    HouseRule(
        "money is never a float or a Decimal",
        lambda name: app_python(name) and tree.in_app(name, "ledger"),
        finders.inexact_numbers,
        bad=("ledger/money.py", "fee = amount / 2"),
        good=("ledger/money.py", "fee = amount // 2"),
    ),
    HouseRule(
        "only edges read the clock",
        timeless,
        finders.own_clocks,
        bad=("ledger/operations.py", "now = timezone.now()"),
        good=("ledger/operations.py", "then = now + delay"),
    ),
    HouseRule(
        "only operations write rows",
        outside_operations,
        finders.stray_writes,
        bad=("ledger/queries.py", "Account.objects.filter(pk=1).update(kind='wallet')"),
        good=("ledger/queries.py", "found.update(more)\nseen.update(one)\ndigest.update(b'x')"),
        excused={
            "ledger/closing.py:Entry.objects.create": "an operation of its own, which moves no money",
            "ledger/closing.py:Closing.objects.create": "as the line above",
            "ledger/closing.py:account.save": "as the line above",
            "ledger/refusals.py:RefusedKey.objects.filter(pk__in=oldest).delete": "an operation of its own: a refusal is no posting",
            "ledger/sealing.py:Seal.objects.create": "the operation of the seals, in a room of its own: it posts nothing",
            "ledger/sealing.py:SealedEntry.objects.bulk_create": "as the line above",
            "ledger/reverifying.py:Verification.objects.create": "as the line above, for what is found of them",
            "ledger/reverifying.py:found.save": "as the line above",
            "marketplace/models/people.py:user.save": "Django asks the user's manager for create_user, which saves",
            "marketplace/payments/__init__.py:v1.checkout.sessions.create": "creates a card page at Stripe, not a row",
            "marketplace/payments/__init__.py:v1.refunds.create": "refunds a card at Stripe, and writes no row",
            "marketplace/payments/payouts.py:accounts.create": "opens an account at Stripe, not a row",
            "marketplace/payments/payouts.py:account_links.create": "asks Stripe for a page, and writes no row",
            "marketplace/payments/payouts.py:transfers.create": "sends dollars at Stripe, and writes no row",
            "marketplace/management/commands/seed_demo.py:user.save": "a fresh random password for a demo login",
        },
    ),
    HouseRule(
        "a save names its fields",
        server_python,
        finders.saves_of_all_fields,
        bad=("a.py", "auction.save()"),
        good=("a.py", "auction.save(update_fields=['state'])"),
        excused={
            "marketplace/models/people.py:user.save": "a new row: nobody else can have changed it",
            "subnets/operations/rules.py:draft.save": "a new row, or one whose every field is written under the subnet's lock",
        },
    ),
    HouseRule(
        "nothing is deleted along",
        lambda name: server_python(name) and tree.room(name) == "models",
        finders.cascades,
        bad=("a.py", "models.ForeignKey(Job, on_delete=models.CASCADE)"),
        good=("a.py", "models.ForeignKey(Job, on_delete=models.PROTECT)"),
    ),
    HouseRule(
        "a note to do something names its issue",
        lambda name: not name.startswith("tests/project/") and tree.text(name) is not None,
        finders.unnumbered_todos,
        bad=("a.py", "x = 1  # TODO later"),
        good=("a.py", "x = 1  # TODO #12: later"),
    ),
    HouseRule(
        "a public function of operations, queries and pure modules says what it does",
        says_what_it_does,
        finders.silent_functions,
        bad=("ledger/money.py", "def halve(x):\n    return x // 2"),
        good=("ledger/money.py", 'def halve(x):\n    """Halve, rounding down."""'),
    ),
    HouseRule(
        "a comment does not say we",
        app_python,
        finders.narrating_comments,
        bad=("a.py", "x = 1  # here we set x"),
        good=("a.py", "x = 1  # the web begins at one"),
    ),
    HouseRule(
        "a task has at most eight lines",
        lambda name: server_python(name) and tree.room(name) == "tasks",
        finders.long_tasks,
        bad=("a.py", "@shared_task\ndef f():\n" + "    g()\n" * 9),
        good=("a.py", "@shared_task\ndef f():\n" + "    g()\n" * 8),
    ),
    HouseRule(
        "nobody below the marketplace knows users",
        lambda name: app_python(name) and tree.in_app(name, "ledger", "subnets", "compute"),
        finders.people_below_the_web,
        bad=("a.py", "from django.contrib.auth.models import Group"),
        good=("a.py", "from uuid import UUID"),
        excused={
            "subnets/admin/site.py:": "the owner's console signs people in by Django's own form and user type",
        },
    ),
    HouseRule(
        "no path of one machine and no registry stands in a file",
        lambda name: tree.text(name) is not None,
        finders.foreign_places,
        bad=("a.py", "open('" + "/" + "home/me/x')"),
        good=("a.py", "open('.state/x')"),
    ),
    HouseRule(
        "a template has no inline script or style",
        lambda name: name.endswith((".html", ".svg")),
        finders.inline_code,
        bad=("a.html", '<p style="color: red">'),
        good=("a.html", '<script src="/static/js/copy.js" defer></script>'),
    ),
)
