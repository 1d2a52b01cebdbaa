"""A launcher in a tree of its own, beside a product as small as can be."""

import shutil
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PRODUCT = {
    "requirements.txt": "",
    "config/__init__.py": "",
    "config/settings.py": "",
    "config/celery.py": """
        import os
        from celery import Celery
        app = Celery("fake", broker=os.environ["REDIS_URL"])
    """,
    "config/wsgi.py": """
        import json, os
        EPOCHS = {"results": [{"netuid": 1, "number": 1, "bundle_url": "/bundle.json"}]}
        NETWORK = {
            "block": 7, "auctions_settled_count": 1, "epochs_paid_count": 2, "is_balanced": True,
            "jobs_verified_count": int(os.environ.get("FAKE_JOBS_COUNT", "50")),
        }
        PAGES = {"/api/v1/network/": NETWORK, "/api/v1/epochs/": EPOCHS, "/bundle.json": {"says": "MATCH"}}

        def application(environ, start_response):
            page = PAGES.get(environ["PATH_INFO"])
            status = "404 Not Found" if page is None else "200 OK"
            start_response(status, [("Content-Type", "application/json")])
            return [json.dumps(page).encode()]
    """,
    "config/asgi.py": """
        async def application(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
    """,
    "config/gateway.py": """
        async def application(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
    """,
    "manage.py": """
        import json, os, pathlib, sys
        state = pathlib.Path(os.environ["DEMO_STATE"])
        with (state / "commands").open("a") as commands:
            commands.write(sys.argv[1] + "\\n")
        if sys.argv[1] == "seed_demo":
            login = {"email": "ann@example.com", "password": "a word", "role": "owner"}
            (state / "logins.json").write_text(json.dumps([login]))
    """,
    "launch/seeding.py": """
        import json, os, pathlib
        state = pathlib.Path(os.environ["DEMO_STATE"])
        print("a world of two", flush=True)
        miner = {"argv": ["-m", "neurons.cli", "miner"], "env": {"FAKE": "1"}}
        named = [{"name": f"miner-{n}", **miner} for n in (1, 2)]
        (state / "neurons.json").write_text(json.dumps(named))
    """,
    "neurons/__init__.py": "",
    "neurons/cli.py": """
        import os, sys, time
        assert "DATABASE_URL" not in os.environ and "SECRET_KEY" not in os.environ
        print("working", sys.argv[1:], flush=True)
        time.sleep(600)
    """,
    "subnets/__init__.py": "",
    "subnets/audit.py": """
        import json, sys
        for name in sys.argv[2:]:
            match = json.load(open(name))["says"] == "MATCH"
            print(json.dumps({"source": name, "match": match, "pointer": "/x", "detail": "differs"}))
    """,
}


@pytest.fixture
def tree(tmp_path):
    """A folder with the launcher and a fake product; PostgreSQL's programs are those unpacked already."""
    shutil.copytree(
        ROOT / "launch", tmp_path / "launch", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name, text in PRODUCT.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
    (tmp_path / ".state").mkdir(mode=0o700)
    for programs in (ROOT / ".state").glob("postgres-*"):
        (tmp_path / ".state" / programs.name).symlink_to(programs)
    return tmp_path
