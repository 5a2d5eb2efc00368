"""Names an option that does not exist: its nearest names, or what other tools and earlier releases of TRL call it."""

import difflib
from collections.abc import Iterable

from schemas.errors import UserError

# The name of an option in other tools (axolotl, LLaMA-Factory, unsloth, OpenAI's API) and in earlier releases of TRL
# and transformers -> its names today, of which a trainer has some.
OTHER_NAMES = {
    "accumulation": ("gradient_accumulation_steps",),
    "accumulation_steps": ("gradient_accumulation_steps",),
    "activation_checkpoint": ("gradient_checkpointing",),
    "adapter": ("lora",),
    "alpha": ("lora_alpha",),
    "base_model": ("model",),
    "batch": ("per_device_train_batch_size",),
    "batch_size": ("per_device_train_batch_size",),
    "bits": ("quantize",),
    "bf16_mode": ("bf16",),
    "clip_grad": ("max_grad_norm",),
    "cutoff_len": ("max_length",),
    "data": ("dataset",),
    "dropout": ("lora_dropout",),
    "early_stopping_patience": ("early_stopping",),
    "early_stopping_threshold": ("early_stopping",),
    "epoch": ("num_train_epochs",),
    "epochs": ("num_train_epochs",),
    "eval_batch_size": ("per_device_eval_batch_size",),
    "eval_every": ("eval_steps",),
    "eval_interval": ("eval_steps",),
    "evaluation_strategy": ("eval_strategy",),
    "evals_per_epoch": ("eval_steps",),
    "gpu_memory_utilization": ("vllm_gpu_memory_utilization",),
    "grad_accum": ("gradient_accumulation_steps",),
    "grad_accumulation": ("gradient_accumulation_steps",),
    "grad_clip": ("max_grad_norm",),
    "gradient_accumulation": ("gradient_accumulation_steps",),
    "gradient_clipping": ("max_grad_norm",),
    "group_by_length": ("train_sampling_strategy",),
    "group_size": ("num_generations",),
    "init_kl_coef": ("beta",),
    "kl_coef": ("beta",),
    "kl_beta": ("beta",),
    "kl_coeff": ("beta",),
    "learning_rate_multiplier": ("learning_rate",),
    "load_best": ("load_best_model_at_end",),
    "load_in_4bit": ("quantize",),
    "load_in_8bit": ("quantize",),
    "log_every": ("logging_steps",),
    "logging_dir": ("report_to",),
    "lora_modules": ("target_modules",),
    "lora_r": ("r",),
    "lora_rank": ("r",),
    "lora_target": ("target_modules",),
    "lora_target_linear": ("target_modules",),
    "lora_target_modules": ("target_modules",),
    "loss": ("loss_type",),
    "lr": ("learning_rate",),
    "lr_schedule": ("lr_scheduler_type",),
    "lr_scheduler": ("lr_scheduler_type",),
    "max_completion_tokens": ("max_completion_length",),
    "max_epochs": ("num_train_epochs",),
    "max_new_tokens": ("max_completion_length",),
    "max_seq_len": ("max_length",),
    "max_seq_length": ("max_length",),
    "max_target_length": ("max_length", "max_completion_length"),
    "max_tokens": ("max_completion_length", "max_length"),
    "micro_batch_size": ("per_device_train_batch_size",),
    "mini_batch_size": ("per_device_train_batch_size",),
    "model_name": ("model",),
    "model_name_or_path": ("model",),
    "modules": ("target_modules",),
    "n_epochs": ("num_train_epochs",),
    "neftune_alpha": ("neftune_noise_alpha",),
    "no_cuda": ("use_cpu",),
    "num_epochs": ("num_train_epochs",),
    "num_sample_generations": ("num_generations",),
    "num_samples": ("num_generations",),
    "num_ppo_epochs": ("num_iterations",),
    "optimizer": ("optim",),
    "output_name_or_path": ("output_dir",),
    "patience": ("early_stopping",),
    "peft": ("lora",),
    "peft_config": ("lora",),
    "quantization": ("quantize",),
    "quantization_config": ("quantize",),
    "qlora": ("quantize",),
    "rank": ("r",),
    "ref_model_mixup_beta": ("ref_model_mixup_alpha",),
    "response_length": ("max_completion_length",),
    "reward_funcs": ("rewards",),
    "reward_functions": ("rewards",),
    "reward_model": ("rewards",),
    "rollouts": ("num_generations",),
    "sample_packing": ("packing",),
    "save_every": ("save_steps",),
    "scheduler": ("lr_scheduler_type",),
    "sequence_len": ("max_length",),
    "sequence_length": ("max_length",),
    "steps": ("max_steps",),
    "target": ("target_modules",),
    "teacher_model": ("teacher",),
    "teacher_model_name_or_path": ("teacher",),
    "train_batch_size": ("per_device_train_batch_size",),
    "train_on_inputs": ("completion_only_loss",),
    "val_set_size": ("eval_split",),
    "warmup": ("warmup_steps",),
    "warmup_ratio": ("warmup_steps",),
    "wd": ("weight_decay",),
    "clip_eps": ("epsilon",),
    "clip_epsilon": ("epsilon",),
    "clip_range": ("epsilon",),
    "clip_ratio": ("epsilon",),
    "clip_range_vf": ("value_clip",),
    "cliprange": ("epsilon",),
    "cliprange_value": ("value_clip",),
    "gae_lambda": ("lam",),
    "rloo_k": ("num_generations",),
    "rpo_alpha": ("loss_type",),
    "vf_lr": ("critic_learning_rate",),
}
# Where today's name alone does not say what to write.
NOTES = {
    "bits": "quantize: 4bit",
    "early_stopping_patience": "early_stopping: {patience: 3, threshold: 0.0}",
    "early_stopping_threshold": "early_stopping: {patience: 3, threshold: 0.0}",
    "group_by_length": "train_sampling_strategy: group_by_length",
    "load_in_4bit": "quantize: 4bit",
    "load_in_8bit": "quantize: 8bit",
    "lora_target_linear": "target_modules: all-linear, which is the default",
    "train_on_inputs": "completion_only_loss: false learns every token",
    "val_set_size": "the held-out rows are those of a split",
    "warmup_ratio": "a value of warmup_steps below 1 is a share of all steps",
    "rpo_alpha": "loss_type: [sigmoid, sft], loss_weights: [1.0, ALPHA]",
}
# Options that are gone, or that gristmill decides, and what to do instead.
GONE = {
    "bnb_4bit_compute_dtype": "quantize: 4bit computes in the device's usual type",
    "bnb_4bit_quant_type": "quantize: 4bit is NF4",
    "chat_template": "the chat template belongs to the model; give it one under 'models' (chat_template)",
    "data_path": "the rows come from the recipe's dataset",
    "dtype": "the device decides it; on a GPU bf16: true computes in bfloat16",
    "label_pad_token_id": "TRL has no such option any more",
    "max_prompt_length": "TRL cuts no prompts any more; drop long ones with a filter",
    "force_use_ref_model": "the reference is the model that the training starts from",
    "model_adapter_name": "gristmill merges the adapters of earlier trainings",
    "overwrite_output_dir": "the store decides where the weights go",
    "padding_value": "TRL has no such option any more",
    "response_template": "only the assistant's turns are learnt, whatever the template",
    "tokenizer": "it is the model's own; name the model under 'models'",
    "processing_class": "it is the model's own; name the model under 'models'",
    "torch_dtype": "the device decides it; on a GPU bf16: true computes in bfloat16",
    "value_model": "the trainer makes it",
    "generate_during_eval": "TRL has no such option any more; evaluate answers in the section 'evaluate'",
    "lmbda": "all answers are sampled from the student (lmbda 1)",
    "missing_eos_penalty": "answers that are cut off are left out with mask_truncated_completions: true, or give a "
    "reward of your own that sees finish_reason",
    "ref_adapter_name": "the reference is the model that the training starts from, with earlier adapters merged",
    "ref_model": "the reference is the model that the training starts from",
    "ref_model_init_kwargs": "the reference is the model that the training starts from; set it up under 'models'",
    "reference_free": "TRL has no such option any more; a loss without reference is in trainer: trl.experimental.cpo",
    "seq_kd": "all answers are sampled from the student",
    "whiten_rewards": "rewards are not whitened; of ppo the advantages are (whiten_advantages)",
}

# Options that other trainers have, by the config class without them.
OF_OTHERS = {
    ("DistillationConfig", "loss_type"): "beta sets the divergence: 0 the forward KL, 0.5 Jensen-Shannon's, 1 the "
    "reverse KL; remove it",
}
# Values of an option that are another option today.
OTHER_VALUES = {
    ("loss_type", "gspo"): "GSPO is importance_sampling_level: sequence; set that, and remove loss_type",
    ("loss_type", "dapo_loss"): "write loss_type: dapo",
    ("loss_type", "rpo"): "RPO is loss_type: [sigmoid, sft] with loss_weights: [1.0, ALPHA]",
    ("scale_rewards", "false"): "write scale_rewards: none",
    ("scale_rewards", "true"): "write scale_rewards: group",
}


def unknown_option(
    what: str, name: str, known: Iterable[str], where: str, elsewhere: dict[str, str] | None = None
) -> UserError:
    """Return the error for an option that does not exist; it names the nearest ones and lists no others.

    Args:
        what: What the option should have been one of: 'option of trl.SFTConfig called'.
        name: The name that was found.
        known: The options that can be set there.
        where: Its place in the recipe.
        elsewhere: Names that are set in another place of the training, and the text that shows how: for ``r`` in the
            training itself 'lora: {r: ...}'.
    """
    known, elsewhere = set(known), elsewhere or {}
    own = [text for (config, option), text in OF_OTHERS.items() if config in what and option == name]
    hint = f": {own[0]}" if own else _hint(name, known, elsewhere) or f" ({len(known)} there are; none is near)"
    return UserError(f"{where}: no {what} {name!r}{hint}")


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Return the names nearest to one that does not exist, at most three, the nearest first."""
    known = sorted(set(known))
    lower = name.lower().replace("-", "_")
    if lower in known:
        return [lower]
    words = lower.split("_")
    close = difflib.get_close_matches(lower, known, n=3, cutoff=0.75)
    if close:
        best = difflib.SequenceMatcher(None, lower, close[0]).ratio()
        return [one for one in close if difflib.SequenceMatcher(None, lower, one).ratio() >= best - 0.05]
    holding = [one for one in known if set(words) <= set(one.split("_"))]
    return holding[:3] or difflib.get_close_matches(lower, known, n=1, cutoff=0.6)


def _hint(name: str, known: set[str], elsewhere: dict[str, str]) -> str:
    lower = name.lower().replace("-", "_")
    if lower in GONE and lower not in known:
        return f": {GONE[lower]}; remove it"
    reachable = known | set(elsewhere)
    today = OTHER_NAMES.get(lower, ())
    found = [one for one in today if one in reachable][:1]
    if today and not found:
        return f"; elsewhere it is {' or '.join(map(repr, today))}, which this trainer does not have; remove it"
    found = found or near_names(name, known)
    found = found or near_names(name, reachable)
    if not found:
        return ""
    shown = [f"{elsewhere[one]!r}" if one in elsewhere else f"{one!r}" for one in found]
    note = f" ({NOTES[lower]})" if lower in NOTES and today[:1] == tuple(found) else ""
    return f"; did you mean {' or '.join(shown)}?{note}"
