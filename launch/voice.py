"""What a launch says: one plain line for each thing that happens, or one JSON object a line for programs."""

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Voice:
    """Say things on standard output, each with the seconds since the start."""

    is_json: bool = False
    started_at_s: float = field(default_factory=time.monotonic)

    def elapsed_s(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.started_at_s

    def say(self, kind: str, text: str, **fields: object) -> None:
        """Say one thing: its kind in a word, a text for people, fields for programs."""
        at_s = self.elapsed_s()
        line = f"[{at_s:6.1f} s] {kind:<9} {text}"
        if self.is_json:
            line = json.dumps({"at_s": round(at_s, 2), "kind": kind, "text": text, **fields})
        # A closed terminal must not keep the rest from being stopped in order.
        with contextlib.suppress(OSError):
            print(line, flush=True)

    def welcome(self, *, address: str, logins: list[Mapping[str, str]]) -> None:
        """Say where the demo is and as whom to sign in."""
        self.say("ready", f"{address}   (Ctrl-C stops everything)", address=address, logins=logins)
        if self.is_json:
            return
        width = max((len(login["email"]) for login in logins), default=0)
        for login in logins:
            self.say("login", f"{login['email']:<{width}}  {login['password']}  ({login['role']})")
