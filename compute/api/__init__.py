"""The REST edge of compute: miners fetch work, validators judge it, consumers order it."""
