import pytest
from rest_framework import serializers

from ledger.money import MAX_RAO
from ledger.rest import RaoChangeField, RaoField


class PaymentInput(serializers.Serializer):
    amount_rao = RaoField(min_rao=1)


class LineOutput(serializers.Serializer):
    change_rao = RaoChangeField()


@pytest.mark.parametrize("text", ["1", "1500000000", str(MAX_RAO), "0000000000000000007"])
def test_rao_travels_as_a_string_of_digits(text):
    payment = PaymentInput(data={"amount_rao": text})

    assert payment.is_valid()
    assert payment.validated_data == {"amount_rao": int(text)}
    assert PaymentInput({"amount_rao": int(text)}).data == {"amount_rao": str(int(text))}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (1, "not_a_string"), (1.0, "not_a_string"), (True, "not_a_string"), ([], "not_a_string"),
        ("", "not_digits"), ("-1", "not_digits"), ("1.0", "not_digits"), ("1e9", "not_digits"),
        (" 1", "not_digits"), ("١", "not_digits"), ("²", "not_digits"), ("1" * 20, "not_digits"),
        (str(MAX_RAO + 1), "too_large"), ("0", "too_small"), (None, "null"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(value, code):
    payment = PaymentInput(data={"amount_rao": value})

    assert not payment.is_valid()
    assert [error.code for error in payment.errors["amount_rao"]] == [code]


def test_a_loss_is_shown_with_its_sign_and_never_read():
    assert LineOutput({"change_rao": -5}).data == {"change_rao": "-5"}
    line = LineOutput(data={"change_rao": "5"})
    assert line.is_valid()
    assert line.validated_data == {}
