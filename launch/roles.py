"""The role as which the demo's programs come to PostgreSQL: they post and read, and can change no fact (docs/ledger.md).

The owner of the tables migrates, and grants; nobody else is given its password.
"""

import secrets
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

PROGRAMS = "programs"
MAKE = """
DO $$ BEGIN
    CREATE ROLE {role};
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
ALTER ROLE {role} LOGIN PASSWORD {password};
"""


def make(owner: str, *, state: Path) -> None:
    """Make the role where there is none, with the password that the state folder keeps.

    owner: the address by which the owner of the tables comes.
    """
    words = sql.SQL(MAKE).format(
        role=sql.Identifier(PROGRAMS), password=sql.Literal(_password(state))
    )
    with psycopg.connect(owner, autocommit=True) as line:
        line.execute(words)


def address(owner: str, *, state: Path) -> str:
    """Return the address by which programs come to the owner's database."""
    parts = urlsplit(owner)
    place = f"{PROGRAMS}:{_password(state)}@{parts.hostname}:{parts.port}"
    return parts._replace(netloc=place).geturl()


def _password(state: Path) -> str:
    """Return the role's password, made the first time and kept in a file that only its owner can read."""
    kept = state / "programs.password"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(24))
    return kept.read_text()
