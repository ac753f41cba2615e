"""What the controls of a schedule are called: in words, with the name that torch has for it."""

from __future__ import annotations

LABELS = {
    "lr": "learning rate",
    "step_size": "drop every (step_size)",
    "milestones": "drop at (milestones)",
    "gamma": "factor (gamma)",
    "total_iters": "length (total_iters)",
    "T_max": "period (T_max)",
    "eta_min": "lowest rate (eta_min)",
    "T_0": "first cycle (T_0)",
    "T_mult": "each next × (T_mult)",
    "max_lr": "highest rate (max_lr)",
    "step_size_up": "rise (step_size_up)",
    "step_size_down": "fall (step_size_down)",
    "mode": "height of cycles (mode)",
    "cycle_momentum": "momentum moves, too",
    "base_momentum": "lowest momentum",
    "max_momentum": "highest momentum",
    "total_steps": "length (total_steps)",
    "pct_start": "rise, share (pct_start)",
    "anneal_strategy": "shape",
    "div_factor": "start: ÷ (div_factor)",
    "final_div_factor": "end: start ÷",
    "three_phase": "three phases",
    "threshold": "smallest gain (threshold)",
    "threshold_mode": "gain is",
    "min_lr": "lowest rate (min_lr)",
    "at": "knots at",
    "rates": "rates there",
    "warmup": "warm-up steps",
    "warmup_factor": "start at (× rate)",
    "weight_decay": "weight decay",
}
"""By parameter; others are called as they are."""

OF_KINDS = {
    ("cyclic", "lr"): "lowest rate",
    ("onecycle", "lr"): "highest rate",
    ("inverse", "gamma"): "how fast (gamma)",
}
"""Where a kind has a word of its own."""

WORDS = {"rel": "a share", "abs": "a difference", "cos": "cosine", "linear": "straight"}
"""What values of choices are called; others are called as they are."""

NONE = {"max_lr": "10 × lowest", "step_size_down": "as the rise"}
"""What stands for the default of a value that follows from others; of lengths that is all steps."""

FEW = 3
"""Values of a kind that are in the strip beside the rate; the rest is behind "More"."""


def label_of(kind: str, name: str) -> str:
    """What the control of a kind's parameter is called."""
    return OF_KINDS.get((kind, name)) or LABELS.get(name, name)
