"""The REST edge of subnets. `authentication` is the one module other apps may import."""
