"""A job whose candidates are scored by models that read: every row has its value, and a second run asks nothing."""

import json
from importlib.util import find_spec

import pytest

from curate.api.run import plan, run
from schemas.load_recipe import load_recipe
from tests.jobs import job, query, question

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed"),
]

STEPS = """
  - generate: {{use: sample, model: student, n: 2, max_tokens: 8}}
  - score: {{use: perplexity, model: student}}
  - score: {{use: ifd, model: student}}
  - score: {{use: reward_model, model: rm, as: reward}}
"""
DATASETS = "\n  sft: {type: sft, select: best_of_n, by: reward}\n"


def test_losses_and_rewards_of_every_candidate(tmp_path, store, tiny):
    import torch
    import transformers

    torch.manual_seed(0)
    folder = tmp_path / "rm"
    transformers.PreTrainedTokenizerFast.from_pretrained(tiny).save_pretrained(folder)
    config = transformers.AutoConfig.from_pretrained(tiny, num_labels=1)
    transformers.LlamaForSequenceClassification(config).save_pretrained(folder)
    path = job(tmp_path, tiny, [question(i) for i in range(6)], completions=STEPS, datasets=DATASETS).path
    path.write_text(path.read_text().replace("models:\n", f"models:\n  rm: {{model: '{folder}'}}\n"))
    recipe = load_recipe(path)
    run(recipe, store)
    scores = query(
        store, "SELECT s.*, response FROM scores s JOIN completions ON row_id = completion_id ORDER BY row_id"
    )
    assert scores.height == 3 * 12
    written = scores.filter(scores["response"] != "")
    assert written["error"].is_null().all() and written["value"].is_finite().all()
    # A random model finds all tokens about as likely, whatever is before them.
    assert written.filter(scorer="perplexity")["value"].is_between(200, 600).all()
    assert written.filter(scorer="ifd")["value"].is_between(0.9, 1.1).all()
    assert written.filter(scorer="reward")["value"].n_unique() > 6
    assert all({"given_prompt", "alone"} == set(json.loads(text)) for text in written.filter(scorer="ifd")["detail"])
    again = plan(recipe, store)
    assert again.requests == 0
