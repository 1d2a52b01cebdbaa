"""The real small model: it answers, twice the same, and a text of another model is told from its own.

`make llm` installs it (350 MB); without it these tests are skipped, and say so.
"""

import socket

import numpy as np
import pytest

from compute.blueprints.language import make_canary
from neurons import gemma
from neurons.checking import OK, model_server
from neurons.model_server import generator
from neurons.upstream import Upstream
from neurons.workloads.language import Language
from tests.neurons.kit import said

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(
        not gemma.is_installed(), reason="the real model is not installed: `make llm`"
    ),
]


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    try:
        served = gemma.Gemma(
            host="127.0.0.1", port=port, folder=tmp_path_factory.mktemp("model"), threads=1
        )
    except (ImportError, OSError) as error:
        pytest.skip(f"the real model cannot be loaded here: {error}")
    yield Upstream(served.url, {"gemma3-270m": gemma.MODEL})
    served.stop()


def test_a_real_model_answers_and_its_validator_agrees(upstream):
    rng = np.random.default_rng(2)
    workload = Language(generator(upstream))
    payload = make_canary(rng)[0] | {"max_tokens": 48}

    output = workload.run(payload)

    assert model_server(upstream).state == OK
    assert output["completion_tokens"] > 0
    assert output["prompt_tokens"] > 10
    assert workload.check(payload=payload, output=output, known_answer=None, rng=rng)[0] > 250_000


def test_a_real_model_knows_a_capital_and_an_echo_does_not_pass_for_it(upstream):
    rng = np.random.default_rng(2)
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    payload = {"messages": messages, "max_tokens": 16, "temperature": 0, "seed": 3}
    workload = Language(generator(upstream))

    output = workload.run(payload)
    echoed = Language(said).run(payload)

    assert "Paris" in output["text"]
    assert workload.check(payload=payload, output=echoed, known_answer=None, rng=rng)[0] == 0
