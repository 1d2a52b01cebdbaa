"""Signed requests against the official SDK, and the bytes of results and scores."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurons import keys, protocol
from neurons.keys import Keypair

ALICE = Keypair.from_seed("0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a")
BOB = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"
NONCE = 1_790_000_000_000_000_000
METHOD, PATH, BODY = "POST", "/api/v1/machines/?x=1", b'{"a":1}'


def signed(**changes):
    """Sign the usual request; `changes` replace arguments of auth_headers."""
    arguments = {
        "keypair": ALICE,
        "method": METHOD,
        "path": PATH,
        "body": BODY,
        "receiver": BOB,
        "nonce_ns": NONCE,
    }
    return protocol.auth_headers(**(arguments | changes))


def check(headers, **changes):
    """Check headers against the usual request; `changes` replace what the server received."""
    arguments = {
        "method": METHOD,
        "path": PATH,
        "body": BODY,
        "receiver": BOB,
        "now_ns": NONCE,
    }
    return protocol.check_auth(headers=headers, **(arguments | changes))


def test_a_signed_request_names_its_hotkey_and_nonce():
    assert check(signed()) == protocol.Signed(hotkey=ALICE.ss58_address, nonce_ns=NONCE)


def test_header_names_are_read_in_any_case():
    headers = {name.upper(): value for name, value in signed().items()}

    assert check(headers).hotkey == ALICE.ss58_address


def test_the_signed_bytes_are_the_published_vector():
    message = protocol.auth_message(
        method="post",
        path="/v1/miner/heartbeat",
        body=b'{"a":1}',
        nonce_ns=NONCE,
        sender=ALICE.ss58_address,
        receiver=BOB,
    )

    assert (
        hashlib.sha256(message).hexdigest()
        == "4cab90bda92714264a16d7fd0b5654db4aad2e7722ddf5dd949b5ce4bfe8aac3"
    )


@pytest.mark.parametrize(
    "received",
    [
        {"method": "PUT"},
        {"path": "/api/v1/machines/?x=2"},
        {"path": "/api/v1/machines/"},
        {"body": b'{"a":2}'},
        {"body": b""},
    ],
)
def test_a_request_changed_on_its_way_is_refused(received):
    with pytest.raises(protocol.BadSignature) as refusal:
        check(signed(), **received)

    assert refusal.value.code == "bad_signature"


def test_another_hotkeys_name_over_the_signature_is_refused():
    with pytest.raises(protocol.BadSignature):
        check(signed() | {protocol.HEADER_HOTKEY: BOB})


def test_a_nonce_changed_after_signing_is_refused():
    with pytest.raises(protocol.BadSignature):
        check(signed() | {protocol.HEADER_NONCE: str(NONCE + 1)})


def test_a_request_for_another_receiver_is_refused():
    with pytest.raises(protocol.WrongReceiver) as refusal:
        check(signed(receiver=ALICE.ss58_address))

    assert refusal.value.code == "wrong_receiver"


def test_a_request_bound_to_no_receiver_is_refused():
    headers = signed(receiver="-")
    del headers[protocol.HEADER_RECEIVER]

    with pytest.raises(protocol.WrongReceiver):
        check(headers)


@pytest.mark.parametrize("drift_ns", [10 * 10**9, -2 * 10**9])
def test_a_request_on_the_edge_of_the_window_is_fresh(drift_ns):
    assert check(signed(), now_ns=NONCE + drift_ns).nonce_ns == NONCE


@pytest.mark.parametrize("drift_ns", [10 * 10**9 + 1, -2 * 10**9 - 1])
def test_a_request_outside_the_window_is_stale(drift_ns):
    with pytest.raises(protocol.StaleRequest) as refusal:
        check(signed(), now_ns=NONCE + drift_ns)

    assert refusal.value.code == "stale_request"


@pytest.mark.parametrize(
    "header",
    [
        protocol.HEADER_VERSION,
        protocol.HEADER_HOTKEY,
        protocol.HEADER_NONCE,
        protocol.HEADER_SIGNATURE,
    ],
)
def test_a_missing_header_is_refused_by_name(header):
    headers = signed()
    del headers[header]

    with pytest.raises(protocol.MalformedAuth, match=header) as refusal:
        check(headers)

    assert refusal.value.code == "signature_missing"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (protocol.HEADER_VERSION, "2"),
        (protocol.HEADER_HOTKEY, "nobody"),
        (protocol.HEADER_HOTKEY, "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"),
        (protocol.HEADER_NONCE, "soon"),
        (protocol.HEADER_NONCE, "-1"),
        (protocol.HEADER_NONCE, "1_790"),
        (protocol.HEADER_NONCE, " 1790"),
        (protocol.HEADER_NONCE, "١٧٩٠"),
        (protocol.HEADER_NONCE, "9" * 21),
        (protocol.HEADER_NONCE, f"{NONCE}, {NONCE}"),
        (protocol.HEADER_SIGNATURE, "0x00"),
        (protocol.HEADER_SIGNATURE, "00" * 65),
        (protocol.HEADER_CRYPTO, "ed25519"),
        (protocol.HEADER_CRYPTO, "rot13"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused(header, value):
    with pytest.raises(protocol.MalformedAuth) as refusal:
        check(signed() | {header: value})

    assert refusal.value.code == "signature_malformed"


def test_a_signature_that_is_no_hex_is_bad():
    with pytest.raises(protocol.BadSignature):
        check(signed() | {protocol.HEADER_SIGNATURE: "0x" + "zz" * 64})


def test_a_signature_over_the_wallet_wrapper_is_bad():
    message = protocol.auth_message(
        method=METHOD, path=PATH, body=BODY, nonce_ns=NONCE, sender=ALICE.ss58_address, receiver=BOB
    )
    wrapped = ALICE.sign(b"<Bytes>" + message + b"</Bytes>")

    with pytest.raises(protocol.BadSignature):
        check(signed() | {protocol.HEADER_SIGNATURE: wrapped})


@pytest.fixture(scope="module")
def official():
    """The SDK's own signer and verifier, and Alice as its keypair."""
    from bittensor import http_auth
    from bittensor.sp_core import Keypair as OfficialKeypair

    return http_auth, OfficialKeypair.create_from_uri("//Alice")


@pytest.mark.parametrize("body", [b"", BODY, b"\xff" * 100_000])
def test_headers_signed_by_the_official_sdk_pass_here(official, body):
    http_auth, keypair = official
    headers = http_auth.sign(
        keypair, method=METHOD, path=PATH, body=body, receiver_ss58=BOB, nonce_ns=NONCE
    )

    assert check(headers, body=body).hotkey == ALICE.ss58_address


@pytest.mark.parametrize("body", [b"", BODY, b"\xff" * 100_000])
def test_headers_signed_here_pass_the_official_sdk(official, body):
    http_auth, _ = official
    caller = http_auth.verify(
        signed(body=body),
        body,
        method=METHOD,
        path=PATH,
        self_hotkey_ss58=BOB,
        nonce_store=http_auth.InMemoryNonceStore(),
        now_ns=NONCE,
    )

    assert (caller.hotkey_ss58, caller.nonce_ns) == (ALICE.ss58_address, NONCE)


def test_both_sides_use_the_same_window_as_the_official_sdk(official):
    http_auth, _ = official

    assert protocol.MAX_AGE_NS == http_auth.DEFAULT_MAX_AGE * 1e9
    assert protocol.MAX_AHEAD_NS == http_auth.DEFAULT_ALLOWED_SKEW * 1e9


def test_canonical_json_sorts_keys_and_keeps_letters():
    assert protocol.canonical_json({"b": [1, True, None], "a": "é"}) == (
        '{"a":"é","b":[1,true,null]}'.encode()
    )


def test_numbers_that_are_equal_have_one_spelling():
    assert protocol.canonical_json([1.0, -0.0, 1e16, 0.5]) == b"[1,0,10000000000000000,0.5]"


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), {1: 2}, b"bytes", {"a": {1, 2}}, "\ud800", [object()]],
)
def test_what_is_no_json_has_no_digest(value):
    with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is the promise
        protocol.output_digest(value)


def test_a_value_nested_too_deep_has_no_digest():
    deep = []
    for _ in range(10_000):
        deep = [deep]

    with pytest.raises(ValueError, match="deeper"):
        protocol.output_digest(deep)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abé"), inner, max_size=4),
    max_leaves=12,
)


def spelled(value):
    """Return the canonical spelling as Python's own json writes it, of a value without whole floats."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_every_letter_is_written_as_pythons_json_writes_it():
    letters = [chr(point) for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF]

    assert protocol.canonical_json(letters) == spelled(letters)
    keys = dict.fromkeys(letters[::-1], 1)
    assert protocol.canonical_json(keys) == spelled(keys)
    assert protocol.canonical_json([keys, {}]) == spelled([keys, {}])


@pytest.mark.parametrize(
    "value",
    [
        [2**63 - 1, 2**64 - 1, -(2**63)],
        {"b": 2**64, "a": [-(2**63) - 1, 10**40]},
        [{"b": 10**30, "a": "é"}, {"c": True}],
        [1e-7, 0.00001, 1.5e-300, 123456.75],
        {"a": {"b": 0.1}, "c": {"d": 2**70}},
        [type("Text", (str,), {})("x"), type("Whole", (int,), {})(7), ("a", ("b",))],
    ],
)
def test_numbers_and_subclasses_are_written_as_pythons_json_writes_them(value):
    assert protocol.canonical_json(value) == spelled(value)


@given(json_values)
def test_any_value_is_written_as_pythons_json_writes_it(value):
    assert protocol.canonical_json(value) == spelled(whole_floats_as_ints(value))


def whole_floats_as_ints(value):
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [whole_floats_as_ints(item) for item in value]
        case dict():
            return {name: whole_floats_as_ints(item) for name, item in value.items()}
    return value


def test_what_is_no_json_is_refused_in_rows_too():
    for row in ({"a": float("nan")}, {1: 2}, {"a": b"bytes"}, {"\ud800": 1}):
        with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is the promise
            protocol.canonical_json([{"a": 1}, row])


@given(json_values)
def test_a_digest_survives_being_written_and_read(value):
    assert protocol.output_digest(json.loads(json.dumps(value))) == protocol.output_digest(value)


def test_a_digest_is_sha256_of_the_canonical_bytes():
    assert protocol.output_digest({"c": "AAAA"}) == hashlib.sha256(b'{"c":"AAAA"}').hexdigest()


def test_result_and_score_messages_are_their_lines():
    assert protocol.result_message(lease_id="l", job_id="j", digest="d") == b"btresult/1\nl\nj\nd"
    reason_hash = hashlib.sha256("grün".encode()).hexdigest().encode()
    assert (
        protocol.score_message(result_id="r", digest="d", score_ppm=1_000_000, reason="grün")
        == b"btscore/1\nr\nd\n1000000\n" + reason_hash
    )


def test_an_answer_is_hashed_text_by_text_with_a_line_feed_behind_each():
    whole = protocol.answer_digest(["a", "é\nb"])

    assert whole == hashlib.sha256("a\né\nb\n".encode()).hexdigest()
    assert protocol.answer_digest([]) == hashlib.sha256(b"").hexdigest()
    assert protocol.answer_digest(["ab"]) != protocol.answer_digest(["a", "b"])
    assert protocol.answer_message("r", whole) == f"btresult/1\nr\nr\n{whole}".encode()


def test_a_line_break_in_a_reason_cannot_pass_for_another_score():
    one = protocol.score_message(result_id="r", digest="d", score_ppm=1, reason="a\n2")
    two = protocol.score_message(result_id="r", digest="d", score_ppm=1, reason="a")

    assert one.count(b"\n") == two.count(b"\n") == 4
    assert not keys.verify(ALICE.ss58_address, two, ALICE.sign(one))


@pytest.mark.parametrize("empty", [[], {}])
def test_json_may_be_nested_so_deep_and_no_deeper(empty):
    def nested(depth, core):
        return nested(depth - 1, [core]) if depth else core

    assert protocol.canonical_json(nested(protocol.JSON_DEPTH_MAX - 1, [1]))
    assert protocol.canonical_json(nested(protocol.JSON_DEPTH_MAX, empty))
    for core in (1, 0.5, [1], empty):
        with pytest.raises(ValueError, match="nested deeper"):
            protocol.canonical_json(nested(protocol.JSON_DEPTH_MAX + 1, core))
