"""Imports go one way, and whatever is pure by its place is held to be pure by contract."""

import subprocess
import sys
from pathlib import Path

from tests.project import tree

# Rooms that may know Django, in every app; whatever else an app holds has to be pure.
DJANGO_ROOMS = {
    "ledger": "admin booked books closing evidence guards history invariants keyset lines management models operations queries receipts refusals refused reserves rest"
    " reverifying sealing seals tasks prepared rows triggers verifying",
    "subnets": "admin api apps columns invariants limits management models operations queries tasks",
    "compute": "admin api apps bookkeeping invariants management models operations queries tasks gateway",
    "marketplace": "admin api apps cardbooks catalogue covers egress events fanout figures forfeits invariants live management models"
    " operations pages payments promises queries tasks templatetags unsubscribing webhooks withdrawalbooks",
}


def lint_imports(*words):
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-logo", "--no-cache", *words],
        cwd=tree.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_import_contract_is_kept():
    run = lint_imports()

    assert run.returncode == 0, run.stdout[run.stdout.find("Broken contracts") :]


def test_a_contract_that_the_code_breaks_is_found(tmp_path):
    upside_down = tmp_path / "upside-down.ini"
    upside_down.write_text(
        "[importlinter]\nroot_packages =\n    ledger\n    subnets\n"
        "[importlinter:contract:apps]\nname = Upside down\ntype = layers\nlayers =\n    ledger\n    subnets\n"
    )

    run = lint_imports("--config", str(upside_down))

    assert run.returncode == 1
    assert "subnets is not allowed to import ledger" in run.stdout


def test_every_module_outside_the_rooms_of_django_is_under_the_contract_of_purity():
    free = [
        name
        for name in tree.files()
        if tree.is_python(name)
        and tree.in_app(name, *tree.SERVER_APPS)
        and name.count("/")
        and tree.room(name) not in {*DJANGO_ROOMS[name.split("/")[0]].split(), "__init__"}
        and not tree.is_pure(name)
    ]

    assert not free, f"add to [importlinter:contract:pure] in .importlinter: {free}"


def test_the_contract_of_purity_names_modules_that_exist():
    modules = [module.replace(".", "/") for module in tree.pure_modules()]

    assert modules
    for module in modules:
        assert {f"{module}.py", f"{module}/__init__.py"} & set(tree.files()), module


def test_a_program_that_audits_starts_without_django():
    # Blocked by name, so that the test fails even where some other way to Django is found.
    code = "import sys; sys.modules['django'] = None; import subnets.audit; print('free')"

    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tree.ROOT, capture_output=True, text=True, check=False
    )

    assert run.stdout == "free\n", run.stderr[-500:]
