"""How a program tells its events: lines for people, or JSON for programs."""

import json
import time
from dataclasses import asdict

from neurons.checking import FAILED, NOTE, OK, Finding
from neurons.running import Say

MARKS = {OK: "ok  ", NOTE: "note", FAILED: "FAIL"}


def printed(*, as_json: bool) -> Say:
    """Choose how events are told: a line of text, or a JSON object a line."""

    def say_text(event: str, /, **fields: object) -> None:
        told = " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())
        print(f"{time.strftime('%H:%M:%S')} {event} {told}".rstrip(), flush=True)

    def say_json(event: str, /, **fields: object) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        print(json.dumps({"at": at, "event": event, **fields}), flush=True)

    return say_json if as_json else say_text


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or " " in text else text


def told_finding(finding: Finding, *, as_json: bool) -> None:
    """Print what a check found."""
    if as_json:
        print(json.dumps({"event": "check", **asdict(finding)}), flush=True)
        return
    print(f"{MARKS[finding.state]}  {finding.name:<16} {finding.detail}", flush=True)
    if finding.next_step:
        print(f"      {'':<16} → {finding.next_step}", flush=True)
