"""Makes the tiny language model of the tests: random weights, two layers, a tokenizer trained on a few words."""

from pathlib import Path
from typing import Any

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def make_tiny(folder: Path) -> Path:
    """Save a random Llama (hidden 32, 2 layers, 256 positions) with a byte-level BPE tokenizer; return its folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from tokenizers import trainers as bpe
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from tests.train.tables import WORDS

    torch.set_num_threads(1)  # matrices this small are slower on several threads
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<|im_start|>", "<|im_end|>"]
    tokenizer.train_from_iterator(
        [" ".join(WORDS), "user assistant system"],
        bpe.BpeTrainer(vocab_size=340, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<|im_end|>", chat_template=CHATML
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = small_llama(fast, vocab_size=len(fast), positions=256, tied=True)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def small_llama(tokenizer: Any, *, vocab_size: int, positions: int, tied: bool) -> Any:
    """Return the config of a Llama of two layers (hidden 32) that ends answers and pads as a tokenizer does."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
