"""What panels say of outputs that are no logits: labels, one probability, a value, a structure, a function of it."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.net.errors import capitalized
from cnnwidgets.numbers import number, percent
from tests.base.tiny import PATIENCE, is_shown, preprocess
from tests.methods.small import small
from tests.net.networks import unchanged


class Net(nn.Module):
    """The small network, which ends in one way or another."""

    def __init__(self, last, outputs=4):
        super().__init__()
        self.body, self.last, self.outputs = small(8), last, outputs

    def forward(self, x):
        return self.last(self.body(x)[:, : self.outputs])


def head(output):
    return output["out"][:, 1]


def one_by_one(output):
    return output["out"][0, 1]


PICTURE = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(1))
NETS = {
    "logits": lambda: cw.bind(Net(nn.Identity()), preprocess=preprocess),
    "probabilities": lambda: cw.bind(Net(nn.Softmax(1)), preprocess=preprocess, classes=["ant", "bee", "cat", "dog"]),
    "log-probabilities": lambda: cw.bind(Net(nn.LogSoftmax(1)), preprocess=preprocess),
    "labels": lambda: cw.bind(Net(nn.Sigmoid()), preprocess=preprocess, classes=["ant", "bee", "cat", "dog"]),
    "labels' logits": lambda: cw.bind(Net(nn.Identity()), preprocess=preprocess, outputs="label_logits"),
    "one probability": lambda: cw.bind(Net(nn.Sigmoid(), 1), preprocess=preprocess),
    "one probability, (N,)": lambda: cw.bind(Net(lambda z: z.sigmoid()[:, 0], 1), preprocess=preprocess),
    "one logit": lambda: cw.bind(Net(nn.Identity(), 1), preprocess=preprocess, classes=["cat"]),
    "a value": lambda: cw.bind(Net(nn.Identity(), 1), preprocess=preprocess),
    "values": lambda: cw.bind(Net(nn.Identity(), 2), preprocess=preprocess, classes=["age", "height"], outputs="values"),
    "a dict": lambda: cw.bind(Net(lambda z: {"out": z}), preprocess=preprocess),
}
ANSWERS = {  # the probabilities of the classes, or the values, of the scores of the small network, by hand
    "logits": lambda z: z.softmax(1),
    "probabilities": lambda z: z.softmax(1),
    "log-probabilities": lambda z: z.softmax(1),
    "labels": lambda z: z.sigmoid(),
    "labels' logits": lambda z: z.sigmoid(),
    "one probability": lambda z: torch.cat([1 - z[:, :1].sigmoid(), z[:, :1].sigmoid()], 1),
    "one probability, (N,)": lambda z: torch.cat([1 - z[:, :1].sigmoid(), z[:, :1].sigmoid()], 1),
    "one logit": lambda z: torch.cat([1 - z[:, :1].sigmoid(), z[:, :1].sigmoid()], 1),
    "a value": lambda z: z[:, :1],
    "values": lambda z: z[:, :2],
}
NAMES = {
    "logits": "0 1 2 3", "probabilities": "ant bee cat dog", "log-probabilities": "0 1 2 3", "labels": "ant bee cat dog",
    "labels' logits": "0 1 2 3", "one probability": "negative positive", "one probability, (N,)": "negative positive",
    "a value": "value", "values": "age height",
}  # fmt: skip


def names(kind):
    return ["not cat", "cat"] if kind == "one logit" else NAMES[kind].split()


def answers(kind, picture=PICTURE):
    with torch.no_grad():
        return ANSWERS[kind](small(8)(picture[None]))[0].double()


def covered(y, x):
    made = PICTURE.clone()
    made[:, y : y + 3, x : x + 3] = PICTURE.mean((1, 2), keepdim=True)
    return made


@pytest.mark.parametrize("kind", ANSWERS)
def test_the_occlusion_slider_watches_the_probability_or_the_value(kind):
    net = NETS[kind]()
    with unchanged(net.module):
        panel = cw.OcclusionSlider(net, PICTURE, patch=3, stride=3)
        result = panel.result
    values = "value" in kind
    target = 0 if values else int(answers(kind).argmax())
    wanted = [[answers(kind, covered(y, x))[target].item() for x in result.xs] for y in result.ys]
    np.testing.assert_allclose(result.values, wanted, atol=1e-5)
    assert (result.target, result.score) == (target, "value" if values else "probability")
    name = names(kind)[target]
    words = name if values else f"p({name})"
    assert (panel.heat.title, panel.answers.quantity) == (f"{words} for each place", words)
    lowest, highest = min(np.min(wanted), result.clean), max(np.max(wanted), result.clean)
    assert panel.answers.share is panel.heat.share is not values
    assert panel.answers.span == pytest.approx([lowest, highest] if values else [0, 1], abs=1e-5)
    assert is_shown(panel, panel.tops) is not values
    assert panel.net.output.sentence[1:] in panel.status.message
    assert panel.status.message.startswith(f"{words} falls from ")
    order = [] if values else answers(kind).argsort(descending=True).tolist()
    assert panel.answers.before["classes"] == order
    np.testing.assert_allclose(panel.answers.before["chances"], answers(kind)[order], atol=1e-5)
    assert len(panel.figure().axes) == (3 if values else 4)  # the answers, the picture, the map; and the classes


@pytest.mark.parametrize("kind", ANSWERS)
def test_the_browser_s_caption_has_words_of_the_kind(kind):
    panel = cw.FeatureMapBrowser(NETS[kind](), PICTURE)
    found = panel.result.predicted
    wanted = answers(kind)
    if "value" in kind:
        colon = ":" * (kind == "values")
        said = ", ".join(f"{name}{colon} {number(v)}" for name, v in zip(names(kind), wanted, strict=True))
    elif kind.startswith("one"):
        said = f"p({names(kind)[int(wanted.argmax())]}) = {percent(wanted.max())}"
    else:
        first = int(wanted.argmax())
        assert found.startswith(f"prediction: {names(kind)[first]} ({percent(wanted[first])})")
        return
    assert found == f"prediction: {said}"
    assert capitalized(panel.net.output.sentence) in panel.status.message


@pytest.mark.parametrize("kind", ANSWERS)
def test_the_saliency_panel_says_what_its_score_is(kind):
    panel = cw.SaliencyPanel(NETS[kind](), PICTURE, methods=["saliency", "occlusion"], faithful=True)
    result = panel.result
    target = 0 if "value" in kind else int(answers(kind).argmax())
    assert result.rows[0].name == names(kind)[target]
    assert result.predicted in panel.status.message.replace("Prediction", "prediction")
    assert panel.net.output.sentence in panel.status.message.replace("The network", "the network")
    assert result.maps["occlusion"][0].score == pytest.approx(answers(kind)[target].item(), rel=1e-4)
    assert result.faithful["saliency"].deletion[0] == pytest.approx(answers(kind)[target].item(), rel=1e-4)
    axis = json.loads(panel.curves.figure)["layout"]["yaxis"]["title"]["text"]
    assert axis == ("value" if "value" in kind else "probability")


CODES = {
    **{f"{kind}, {target}": (kind, {"target": target}) for kind in ANSWERS for target in (0, -1)},
    "logits, logit": ("logits", {"score": "logit"}),
    "one logit, logit of the first": ("one logit", {"score": "logit", "target": 0}),
    "a dict, a function": ("a dict", {"target": head}),
    "a dict, a function of one picture": ("a dict", {"target": one_by_one}),
    "a dict, a unit": ("a dict", {"unit": ["body.2", 1]}),
}


@pytest.mark.parametrize("what", CODES)
def test_the_code_gives_what_is_on_screen(what):
    kind, state = CODES[what]
    if state.get("target") == -1:
        state = {"target": len(names(kind)) - 1}
    net = NETS[kind]()
    slider = cw.OcclusionSlider(net, PICTURE, patch=3, stride=3, **state)
    methods = ["saliency", "guided_backprop", "grad_cam", "lime"]
    only = {} if "target" not in state else {"target": state["target"]}
    panel = cw.SaliencyPanel(net, PICTURE, methods=methods, **only) if only else None
    for one in filter(None, (slider, panel)):
        assert one.error is None or one.result
        code = one.code()
        if callable(state.get("target")):
            assert f"{state['target'].__name__} = ...  # your function of the output" in code
        space = {"model": net.module, "preprocess": preprocess, "x": PICTURE[None], "head": head, "one_by_one": one_by_one}
        exec("\n".join(line for line in code.split("\n") if "= ...  # " not in line), space)
        if one is slider:
            np.testing.assert_allclose(space["values"].numpy(), one.result.values, rtol=1e-4, atol=1e-5)
        else:
            for method in methods:
                wanted = one.result.maps[method][0].values
                np.testing.assert_allclose(np.asarray(space["maps"][method]), wanted, atol=2e-5 * np.abs(wanted).max())


# functions of the output


@pytest.mark.parametrize("score", [head, one_by_one])
def test_a_function_goes_by_its_name(score):
    net = NETS["a dict"]()
    slider = cw.OcclusionSlider(net, PICTURE, score, patch=3, stride=3)
    wanted = [[small(8)(covered(y, x)[None])[0, 1].item() for x in slider.result.xs] for y in slider.result.ys]
    np.testing.assert_allclose(slider.result.values, wanted, atol=1e-5)
    name = score.__name__
    assert slider.heat.title.startswith(name) and slider.answers.quantity == name
    assert slider.result.target == name and slider.status.message.startswith(f"{name} falls from ")
    assert slider.get_state("target")["target"] == {"other": name}
    panel = cw.SaliencyPanel(net, PICTURE, [score, head], methods=["saliency", "occlusion"])
    assert [row.name for row in panel.result.rows] == list(dict.fromkeys([name, "head"]))
    assert panel.table.rows[0] == name


def test_a_state_brings_a_function_back_as_long_as_it_lives():
    net = NETS["a dict"]()
    slider, other = (cw.OcclusionSlider(net, PICTURE, score, patch=3, stride=3) for score in (head, one_by_one))
    state = json.loads(json.dumps(slider.state))
    assert state["target"]["function"] == "head"
    other.restore(state)
    assert other.target is head and other.result.target == "head"
    before = other.state
    with pytest.raises(ValueError, match="a state holds only the name of the function gone: set target to the function"):
        other.restore({"patch": 5, "target": {"function": "gone", "id": 1}})
    assert other.state == before
    panel = cw.SaliencyPanel(net, PICTURE, [head, one_by_one], methods=["saliency"])
    again = cw.SaliencyPanel(net, PICTURE, head, methods=["saliency"])
    again.restore(json.loads(json.dumps(panel.state)))
    assert again.other_targets == [one_by_one]


def test_panels_share_a_function():
    net = NETS["a dict"]()
    slider = cw.OcclusionSlider(net, PICTURE, head, patch=3, stride=3)
    panel = cw.SaliencyPanel(net, PICTURE, one_by_one, methods=["saliency"])
    cw.link(slider, panel)
    assert panel.target is head and panel.result.rows[0].name == "head"


def test_an_output_that_is_no_table_is_said_with_the_way_out_and_units_need_none():
    net = NETS["a dict"]()
    slider = cw.OcclusionSlider(net, PICTURE, patch=3, stride=3)
    assert slider.wait(PATIENCE)
    assert slider.status.message.startswith("Net outputs a dict of out (1×4); class scores need a tensor (N, classes)")
    assert slider.status.message.endswith("give target= a function of the output")
    slider.layer, slider.unit = "body.2", 1
    assert slider.result.unit == ("body.2", 1)
    assert slider.answers.quantity == "sum of unit 1 of body.2" and not slider.answers.before["classes"]
    browser = cw.FeatureMapBrowser(net, PICTURE)
    assert browser.result.predicted == browser.picture.caption == "the network gives a dict of out (1×4)"
    panel = cw.SaliencyPanel(net, PICTURE, explain="unit", layer="body.2", unit=1, methods=["saliency", "guided_backprop"])
    assert panel.result.maps.keys() == {"saliency", "guided_backprop"}
    assert re.match(r"Unit 1 of body\.2 sums to \S+\.\nThe network gives a dict of out \(1×4\)\n", panel.status.message)


def test_an_embedding_of_a_regression_is_colored_by_its_value():
    pictures = [(torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(k)), k % 2) for k in range(12)]
    panel = cw.EmbeddingExplorer(NETS["a value"](), pictures, method="pca", color="prediction")
    found = panel.result.features
    wanted = [small(8)(picture[None])[0, 0].item() for picture, _ in pictures]
    np.testing.assert_allclose(found.regression[:, 0], wanted, rtol=1e-4)
    assert found.top is None and panel.scatter.quantity == "value that is predicted"
    assert "the network gives one value (by default)" in panel.status.message
