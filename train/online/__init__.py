"""Online RL and distillation: the model samples answers, which are scored and recorded."""
