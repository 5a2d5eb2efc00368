"""The mean similarity of the response to its prompt's other candidates: minimum Bayes risk decoding, without a judge.

The candidate that is most like all others is the one with the least expected loss, if the candidates are what the model
believes in (Eikema and Aziz, arXiv 2005.10283 and 2108.04718; Bertsch et al., "It's MBR all the way down", arXiv
2310.01387). ``best_of_n`` by this score takes it; the scorer ``agreement`` is the same for short final answers.

``similarity: ngrams`` is the cosine of the two texts' sets of character n-grams (Ochiai's coefficient), after each run
of white space is made one space; case, signs and punctuation count. ``similarity: embeddings`` is the cosine of the
embeddings of ``model``.
"""

from typing import Literal

import polars as pl

from curate.algorithms.text.mean_cosine import of_texts, of_vectors
from curate.algorithms.text.ngrams import one_space
from curate.score._reading_models import EMPTY, NO_RESPONSE
from curate.steps.model_calls import Embed, EmbeddingScoring
from schemas.errors import UserError

ALONE = "the prompt has no other candidate"
LONGEST = 64  # characters of an n-gram


def score(
    prompt_id: pl.Series,
    response: pl.Series,
    *,
    similarity: Literal["ngrams", "embeddings"] = "ngrams",
    ngram: int = 4,
    model: str = "minilm",
) -> EmbeddingScoring:
    """Return ``value`` (up to 1, higher is nearer to the others) and ``error`` where there is nothing to compare.

    Args:
        prompt_id: The prompt of each candidate.
        response: The candidates. One without a text is compared with none.
        similarity: What is compared: sets of character n-grams, or embeddings.
        ngram: The characters of an n-gram; a shorter text is one n-gram.
        model: The embedding model, for ``embeddings``.

    Raises:
        UserError: ``ngram`` is out of its range.
    """
    if not 1 <= ngram <= LONGEST:
        raise UserError(f"ngram is {ngram}; expected 1 to {LONGEST}")
    text = one_space(response.cast(pl.String))
    missing = pl.select(
        pl.when(text.is_null()).then(pl.lit(NO_RESPONSE)).when(text == "").then(pl.lit(EMPTY)).alias("error")
    )["error"]
    if similarity == "embeddings":
        vectors = yield Embed(text.set(missing.is_not_null(), None), model)
        found = of_vectors(vectors.to_numpy(), prompt_id, missing.is_not_null().to_numpy())
    else:
        found = of_texts(text, prompt_id, ngram)
    value = pl.Series("value", found, dtype=pl.Float64, nan_to_null=True)
    alone = pl.when(value.is_null()).then(pl.lit(ALONE))
    return pl.DataFrame({"value": value}).with_columns(error=pl.coalesce(missing, alone))
