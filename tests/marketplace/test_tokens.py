"""API keys as text: what is drawn, what is read, what is kept, and from where a key may be used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace import tokens


def test_a_new_key_is_read_back_and_tells_its_secret_to_nobody():
    token = tokens.new_token()

    assert tokens.read_token(token.text) == token
    assert token.secret not in repr(token)
    assert len(token.secret) * 4 >= 128
    assert tokens.is_secret(token.secret, kept=tokens.digest(token.secret))
    assert token.secret not in tokens.digest(token.secret)


@given(st.text(max_size=120))
def test_what_is_no_key_is_never_one(text):
    assert tokens.read_token(text) is None


def test_a_key_with_anything_behind_it_is_no_key():
    text = tokens.new_token().text

    for other in (f"{text}\n", f"{text}0", text[:-1], text.upper(), f" {text}"):
        assert tokens.read_token(other) is None


@pytest.mark.parametrize(
    ("address", "networks", "expected"),
    [
        ("192.0.2.7", [], True),
        ("192.0.2.7", ["192.0.2.0/24"], True),
        ("::ffff:192.0.2.7", ["192.0.2.0/24"], True),
        ("198.51.100.1", ["192.0.2.0/24", "2001:db8::/32"], False),
        ("2001:db8::1", ["192.0.2.0/24", "2001:db8::/32"], True),
        ("", ["192.0.2.0/24"], False),
    ],
)
def test_a_key_is_used_from_its_networks_alone(address, networks, expected):
    assert tokens.is_within(address, networks) is expected


@pytest.mark.parametrize("text", ["", "192.0.2", "192.0.2.1/24", "example.com", "::1/129"])
def test_what_is_no_network_is_refused(text):
    with pytest.raises(ValueError, match=r"network|address|bits|octets|Address"):
        tokens.read_network(text)
