"""What we claim about speed, measured: `make bench`. Each figure stands beside a peer or a physical floor of the same run.

A module of this package with a function `measure() -> Iterator[Figure]` is a benchmark; its name is its name.
"""
