"""The lines of a network's score: of a class, or of a function of the output; and how the network is bound again."""

from __future__ import annotations

from cnnwidgets.net import BoundModel
from cnnwidgets.net.output import Output


def identifier(function: str) -> str:
    """What a function of some name is called in code."""
    return function if function.isidentifier() else "own_score"


def own_lines(target: int | str | None) -> list[str]:
    """The line in which a reader puts in a function of the output, of which a result has the name; none for a class."""
    return [f"{identifier(target)} = ...  # your function of the output"] if isinstance(target, str) else []


def bind_lines(net: BoundModel, more: str = "") -> str:
    """The expression that binds ``model`` again, with more arguments if they are given."""
    outputs = f", outputs={net.output.kind!r}" if net.output.is_said else ""
    return f"cw.bind(model, preprocess=preprocess{outputs}{more})"


def answer_code(output: Output, call: str, target: int | None, score: str) -> str:
    """The expression of a class's score, one a picture, of one that gives the network's output for a batch."""
    if not output.is_binary:
        table = f"{call}.reshape(len(batch), -1)" if output.count == 1 else call
        return f"{table}{_ANSWERS[output.kind] if score == 'probability' else ''}[:, {target}]"
    table = f"{call}.reshape(len(batch), -1)[:, 0]"
    if output.has_logits:
        return f"{'-' * (target == 0)}{table}" if score == "logit" else f"({'-' * (target == 0)}{table}).sigmoid()"
    return f"{'1 - ' * (target == 0)}{table}{_ANSWERS[output.kind]}"


_ANSWERS = {"logits": ".softmax(1)", "log_probabilities": ".exp()", "label_logits": ".sigmoid()"} | dict.fromkeys(
    ("probabilities", "labels", "binary", "values"), ""
)
