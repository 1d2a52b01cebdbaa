"""What is asked: cases drawn from the description of an API, told the town's ids, and spoiled in known ways."""

import copy
import json

from hypothesis import strategies as st
from schemathesis import GenerationMode

# Values that parsers, drivers and databases have tripped over.
ODD = [
    None, True, -1, 0, 2**31, 2**63, 2**64, 10**400, 1e308, -0.0, "", " ", "\x00", "a\x00b", "\u202e", "\ufeff", "\U0001f600",
    "\ud800", "9" * 20, "9" * 5_000, "-1", "1e9", "NaN", "null", "0x10", "１２", "x" * 100_000, "'; --", "../../etc/passwd",
    [], {}, [[]], [None], {"": ""}, {"$ref": "#"}, "2026-13-45T99:99:99Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
    "00000000-0000-0000-0000-000000000000", "https://127.0.0.1:1/", "file:///etc/passwd",
]  # fmt: skip
BODIES = [
    b"", b" ", b"null", b"[]", b"0", b'"text"', b"{", b"\x00", b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b'{"a": "\\ud800"}',
    b'{"a": "\xed\xa0\x80"}', b"[" * 100_000, b'{"a":' * 5_000, b'{"a": 1, "a": 2}', b"NaN", b'{"a": 1e999}', b"1" * 5_000,
    b"a=1&b=2", b"--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n", b'{"__proto__": {}}',
]  # fmt: skip
TYPES = [
    "", "text/plain", "application/json; charset=utf-16", "application/json; charset=nonsense", "application/xml", "nonsense",
    "multipart/form-data", "multipart/form-data; boundary=x", "multipart/form-data; boundary=" + "x" * 300,
    "application/x-www-form-urlencoded", "application/json, application/json", "APPLICATION/JSON", "\xff/\xff",
]  # fmt: skip
HEADERS = {
    "Idempotency-Key": ["", " ", "a,b", "\xe9", "x" * 129, "x" * 9_000, "a\tb", "a\x01b", "one", "'\"\\"],
    "If-Match": ["", "*", '"', '"x"', 'W/"1"', '"9999999999999-x"', '"1-' + "a" * 5_000 + '"', ",,,", "\xe9"],
    "If-None-Match": ["*", '"', '"x", "y"', "\xe9", "W/"],
    "Accept": ["text/html", "*/*;q=0", "application/json;version=", "nonsense", "a/b" * 500, "\xe9/\xe9", ""],
    "Accept-Language": ["xx", "*", "\xe9" * 200],
    "X-Request-Id": ["a\tb", "\xe9" * 9, "x" * 500],
    "X-HTTP-Method-Override": ["DELETE"],
    "Range": ["bytes=0-0", "bytes=9-1"],
    "Content-Encoding": ["gzip", "nonsense"],
    "Transfer-Encoding": ["chunked"],
    "X-Forwarded-For": ["\xe9", "1.2.3.4, " * 50],
    "Authorization": ["Bearer", "Bearer ", "Bearer a b", "Bearer \xe9", "Bearer snm_live_", "Bearer snm_live_" + "0" * 16 + "_x",
                      "Basic YTpi", "Basic \xff", "x" * 9_000, "bearer snm_live_\x00_\x00"],
    "Stripe-Signature": ["", "t=1,v1=x", "t=" + "9" * 400 + ",v1=x", "\xe9", "t=x"],
}  # fmt: skip
SIGNED = [
    "X-Bittensor-Version",
    "X-Bittensor-Hotkey",
    "X-Bittensor-Receiver",
    "X-Bittensor-Nonce",
    "X-Bittensor-Signature",
]
QUERIES = [
    "cursor=%00", "cursor=x", "cursor=W10:x", "cursor=" + "x" * 501, "cursor=%ff", "cursor=a&cursor=b", "limit=%d9%a1", "limit=1e1",
    "limit=99999999999999999999", "limit=-1", "limit=", "limit=1&limit=2", "netuid=99999999999999999999", "netuid=%00", "netuid=-1",
    "before=99999999999999999999", "before=00000000-0000-0000-0000-000000000000", "q=%00", "q=%ed%a0%80", "q=" + "%F0%9F%98%80" * 90,
    "sort=%00", "%00=%00", "&&&=", "a[]=1", "unread=maybe", "state=%00", "name=%00", "x=" + "y" * 20_000, ";", "%", "%zz",
]  # fmt: skip


def cases(operation):
    """Draw cases of an operation: mostly such as its description allows, some it forbids."""
    kinds = [operation.as_strategy(generation_mode=GenerationMode.POSITIVE)] * 3
    if operation.body or list(operation.iter_parameters()):
        kinds.append(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    return st.one_of(kinds)


def spoils():
    """Draw at most one way to spoil a request: (what, …)."""
    return st.one_of(
        st.just(("nothing",)),
        st.just(("nothing",)),
        st.tuples(st.just("value"), st.sampled_from(ODD), st.integers(0, 30)),
        st.tuples(st.just("body"), st.sampled_from(BODIES)),
        st.tuples(st.just("type"), st.sampled_from(TYPES)),
        st.sampled_from(sorted(HEADERS)).flatmap(
            lambda name: st.tuples(
                st.just("header"), st.just(name), st.sampled_from(HEADERS[name])
            )
        ),
        st.tuples(st.just("signature"), st.sampled_from(SIGNED), st.sampled_from(["", "\xe9", "x", "9" * 99])),
        st.tuples(st.just("query"), st.sampled_from(QUERIES)),
        st.just(("head",)),
    )  # fmt: skip


def settle_in(case, places, *, pick):
    """Tell a case the town's ids where it has a member of that name, pick: which ones, None for none."""
    if pick is None:
        return
    for name in list(case.path_parameters or {}):
        if places.get(name):
            case.path_parameters[name] = str(places[name][pick % len(places[name])])
    if isinstance(case.query, dict) and "netuid" in case.query:
        case.query["netuid"] = places["netuid"][0]
    if isinstance(case.body, dict | list):
        case.body = told(copy.deepcopy(case.body), places, pick=pick)


def told(value, places, *, pick):
    """Return a body whose ids are the town's."""
    if isinstance(value, list):
        return [told(one, places, pick=pick) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: as_json(places[name][pick % len(places[name])])
        if places.get(name) and name != "version"
        else told(one, places, pick=pick)
        for name, one in value.items()
    }


def as_json(value):
    return value if isinstance(value, int | dict | str) else str(value)


def with_odd_value(case, value, at):
    """Put an odd value where a member of the body stands, or a parameter of the query."""
    if isinstance(case.body, dict) and case.body:
        name = sorted(case.body, key=repr)[at % len(case.body)]
        case.body = case.body | {name: value}
    elif isinstance(case.query, dict) and case.query:
        name = sorted(case.query)[at % len(case.query)]
        case.query[name] = value if isinstance(value, str) else json.dumps(value)


def spoil(written, spoiled):
    """Spoil a request that is written."""
    match spoiled:
        case ("body", body):
            written.body = body
        case ("type", kind):
            written.headers["Content-Type"] = kind
        case ("query", query):
            written.url += ("&" if "?" in written.url else "?") + query
        case ("head",) if written.method == "GET":
            written.method = "HEAD"
