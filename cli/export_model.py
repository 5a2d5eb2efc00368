"""The command that passes a model on: export-model."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import STORE, AllowCode, AllowKey, Force, Overrides, Private, Push, Quiet, StoreFolder, read_recipe
from cli.terminal import say

ModelName = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A training of the store by its name, recipe/name or id; a model's or an adapter's folder; a "
        "built-in model; a hub id; with --recipe a model of the recipe.",
    ),
]
DataType = Annotated[
    str,
    typer.Option("--dtype", help="Of merged weights: float32 | bfloat16 | float16; auto is the base's."),
]
LlamaCpp = Annotated[
    Path | None,
    typer.Option("--llama-cpp", metavar="DIR", help="For gguf: your checkout of llama.cpp, which converts."),
]
OutType = Annotated[
    str,
    typer.Option(
        "--outtype", help="For gguf: f32 | bf16 | f16 | q8_0, or a type of llama-quantize; auto is without loss."
    ),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="An export of the data it learnt; the card has its checksums."),
]
DataAddress = Annotated[
    str | None,
    typer.Option("--data-address", metavar="OWNER/NAME", help="Where that data is on the hub, for the card."),
]


def export_model(
    name: ModelName,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write; it must be new, or empty.")],
    format: Annotated[
        str,
        typer.Option("--format", "-f", help="merged (transformers, vLLM) | adapter (PEFT, vLLM) | gguf (llama.cpp)."),
    ] = "merged",
    store: StoreFolder = STORE,
    recipe: Annotated[Path | None, typer.Option("--recipe", help="A recipe, whose models NAME may be.")] = None,
    overrides: Overrides = None,
    dtype: DataType = "auto",
    llama_cpp: LlamaCpp = None,
    outtype: OutType = "auto",
    check: Annotated[
        int, typer.Option("--check", help="On how many prompts to compare greedy answers; 0 for none.", min=0, max=20)
    ] = 20,
    data: Data = None,
    data_address: DataAddress = None,
    push: Push = None,
    private: Private = False,
    force: Force = False,
    allow_code: AllowCode = False,
    allow_key: AllowKey = None,
    quiet: Quiet = False,
) -> None:
    """Write a model into a folder that others load.

    It is checked that it answers as the trained one does. merged: one set of weights. adapter: the LoRA adapter
    with its base. gguf: a file for llama.cpp, and an Ollama Modelfile.
    """
    from train.api import export_model as export

    done = export(
        name,
        folder,
        format=format,
        store=store if store.is_dir() or store != STORE else None,  # without a store: a folder, a built-in, the hub
        recipe=None if recipe is None else read_recipe(recipe, overrides, allow_code=allow_code, allow_key=allow_key),
        dtype=dtype,
        llama_cpp=llama_cpp,
        outtype=outtype,
        check=check,
        data=data,
        data_address=data_address,
        force=force,
        push=push,
        private=private,
        say=(lambda line: None) if quiet else (lambda line: say(f"  {line}", err=True)),
    )
    say(f"{done.format}: {done.path}")
    if push is not None:
        say(f"pushed: {push}")


COMMANDS = (export_model,)
