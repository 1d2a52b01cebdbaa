"""A miner that cheats, for tests and for the demonstration. Takes the arguments of `neuron miner`:

    NEURON_LIE=wrong python -m tests.neurons.lying_miner miner --seed-file … --netuid 1

NEURON_LIE: wrong (an honest-looking output with one number changed; the default), lazy (well-formed
noise instead of work), slow (right, but late by NEURON_LIE_DELAY_S), silent (takes jobs, returns none).
"""

import base64
import os
import sys
import time

import numpy as np

from neurons import cli
from neurons.miner import Miner
from neurons.workloads import matmul


def falsified(lease, output):
    """Change one number, so that nothing but a real check can tell."""
    if lease.blueprint == matmul.KIND:
        product = np.frombuffer(base64.b64decode(output["c"]), dtype="<i4").copy()
        product[len(product) // 2] += 1
        return {"c": base64.b64encode(product.tobytes()).decode()}
    first, *others = output["vectors"]
    return {"vectors": [[-number for number in first], *others]}


def noise(lease, rng):
    """Make an output of the right form without doing the work."""
    if lease.blueprint == matmul.KIND:
        product = rng.integers(-(2**20), 2**20, size=lease.payload["n"] ** 2).astype("<i4")
        return {"c": base64.b64encode(product.tobytes()).decode()}
    vectors = rng.normal(size=(len(lease.payload["sentences"]), 384))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return {"vectors": np.round(vectors, 6).tolist()}


class LyingMiner(Miner):
    """Cheats in the way NEURON_LIE names."""

    def serve(self, leases):
        if os.environ.get("NEURON_LIE") != "silent":
            super().serve(leases)

    def output(self, lease):
        match os.environ.get("NEURON_LIE", "wrong"):
            case "lazy":
                return noise(lease, np.random.default_rng())
            case "slow":
                time.sleep(float(os.environ.get("NEURON_LIE_DELAY_S", "5")))
                return super().output(lease)
            case _:
                return falsified(lease, super().output(lease))


if __name__ == "__main__":
    sys.exit(cli.main(miner=LyingMiner))
