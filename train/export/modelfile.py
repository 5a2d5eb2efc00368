"""Writes an Ollama Modelfile for a GGUF file: its TEMPLATE, where a text ends, the context, how it samples."""

from pathlib import Path
from typing import Any

from curate.models.chat.chat import template_of
from curate.models.chat.chat_template import TemplateRefused
from train.export.chat_parts import NotFixed
from train.export.ollama_template import drops_traces, joins_system, ollama_template, strips

MOST_CONTEXT = 8192  # tokens; a longer one may not fit the memory, and can be set where it is used
SAMPLING = ("temperature", "top_p", "top_k", "min_p")


def write_modelfile(folder: Path, gguf: Path, tokenizer: Any, config: Any, generation: Any) -> str:
    """Write ``Modelfile`` into a folder.

    Args:
        folder: The folder.
        gguf: The GGUF file in it.
        tokenizer: The model's tokenizer.
        config: Its config.
        generation: Its generation config.

    Returns:
        What is to be said about it, in a line.
    """
    lines = [f"FROM ./{gguf.name}", ""]
    template, said = _template(tokenizer, gguf)
    lines += [*template, ""]
    lines += [f'PARAMETER stop "{text}"' for text in _ends(tokenizer, generation) if '"' not in text]
    longest = getattr(config.get_text_config(), "max_position_embeddings", None)
    if longest:  # Ollama's own default is shorter, and drops the first messages without a word
        lines.append(f"PARAMETER num_ctx {min(longest, MOST_CONTEXT)}")
    if getattr(generation, "do_sample", False):
        values = {name: getattr(generation, name, None) for name in SAMPLING}
        lines += [f"PARAMETER {name} {value:g}" for name, value in values.items() if value is not None]
    (folder / "Modelfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return said


def _template(tokenizer: Any, gguf: Path) -> tuple[list[str], str]:
    """Return the Modelfile's lines on the template, and what is to be said about it."""
    template = template_of(tokenizer)
    if template is None:
        return ["# The model has no chat template: it continues texts."], "Modelfile: the model has no chat template"
    bos = tokenizer.bos_token or "" if adds_bos(gguf) else ""
    try:
        printed = template.render([{"role": "user", "content": "qz"}], add_generation_prompt=True).startswith(bos)
        made = ollama_template(template, bos if printed else "")
        lines = ["# It prints a conversation of system, user and assistant exactly as the model's chat template does."]
        if bos and printed:
            lines.append(f"# The token {bos} before it is not here, since Ollama's server puts it there.")
        elif bos:
            lines.append(f"# Ollama's server puts the token {bos} before it, which the chat template does not print.")
        if strips(template):
            lines.append("# But for white space at the ends of texts, which the chat template takes off.")
        if drops_traces(template):
            lines.append("# But for reasoning traces of earlier answers, which the chat template leaves out.")
        if joins_system(template):
            lines.append("# A system text stands before the first user's: the chat template prints none of its own.")
        if template.with_tools or "tools" in template.source:
            lines.append(
                "# It has no tools; Ollama prints those by the chat template in the GGUF file (0.32 and later)."
            )
        return [
            *lines,
            f'TEMPLATE """{made}"""',
        ], "Modelfile: its TEMPLATE prints conversations as the chat template does"
    except (NotFixed, TemplateRefused) as error:
        lines = [
            "# There is no TEMPLATE here: no fixed texts print what the model's chat template does, since",
            f"# {error}.",
            "# Ollama (0.32 and later) prints by the chat template in the GGUF file, unless it takes that for one that",
            "# it knows and that is similar: see `ollama show --template`.",
        ]
        return lines, f"Modelfile: without TEMPLATE, as of its chat template: {error}"


def adds_bos(gguf: Path) -> bool:
    """Return whether llama.cpp puts the token that begins a text before every prompt of a GGUF file."""
    from gguf import GGUFReader

    fields = GGUFReader(gguf).fields
    if "tokenizer.ggml.add_bos_token" in fields:
        return bool(fields["tokenizer.ggml.add_bos_token"].contents())
    kind = fields["tokenizer.ggml.model"].contents() if "tokenizer.ggml.model" in fields else ""
    pre = fields["tokenizer.ggml.pre"].contents() if "tokenizer.ggml.pre" in fields else ""
    return kind == "llama" or pre in ("llama-bpe", "llama3", "llama-v3")  # llama.cpp's defaults (llama-vocab.cpp)


def _ends(tokenizer: Any, generation: Any) -> list[str]:
    """Return the texts of the tokens that end an answer."""
    found = generation.eos_token_id if generation is not None else None
    ids = found if isinstance(found, list) else [found]
    texts = [tokenizer.convert_ids_to_tokens(one) for one in (*ids, tokenizer.eos_token_id) if one is not None]
    return list(dict.fromkeys(text for text in texts if text))
