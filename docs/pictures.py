"""``python -m docs.pictures [NAME ...]``: the pictures of the documentation, from panels in a real JupyterLab.

Writes ``docs/images/NAME-light.webp`` and ``NAME-dark.webp``, and for each panel a thumbnail in ``notebooks/images/``.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from tests.browser.lab import FLAGS, LONG, Lab, Notebook, browser_path

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "images"
THUMBNAILS = ROOT / "notebooks" / "images"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
MARGIN = 4
MOST_BYTES = 100_000
THUMBNAIL = (360, 225)
BEGIN = """import torch
import cnnwidgets as cw
torch.manual_seed(0)
net, pictures = cw.load("scenes"), cw.samples.scenes()"""

STATES = {
    "OcclusionSlider": "cw.OcclusionSlider(net, 4, images=pictures, patch=9, stride=1)",
    "SaliencyPanel": 'cw.SaliencyPanel(net, 4, images=pictures, outline="object",\n'
    '                 methods=["saliency", "guided_backprop", "grad_cam", "lime"])',
    "FeatureMapBrowser": 'cw.FeatureMapBrowser(net, 3, "layer1.0.relu", images=pictures, y=28, x=24)',
    "FilterGrid": "cw.FilterGrid(net, unit=4)",
    "TopPatches": 'cw.TopPatches(net, pictures, "layer1.1.relu:2", 5)',
    "UnitExplorer": 'cw.UnitExplorer(cw.load("digits"), cw.samples.digits(), 5, "relu2", 3)',
    "Concepts": 'cw.Concepts(cw.load("digits"), cw.samples.digits(), "relu2", 6)',
    "FeatureEvolution": 'cw.FeatureEvolution(net, pictures, layer="layer1", unit=5, checkpoint=3, image=3, limit=100)',
    "EmbeddingExplorer": "cw.EmbeddingExplorer(net, pictures, limit=500, image=484)",
    "BackwardRules": "cw.BackwardRules()",
    "SchedulePlayground": "cw.SchedulePlayground(specs=[\n"
    '    {"kind": "step", "lr": 0.1, "step_size": 10}, {"kind": "cosine", "lr": 0.1, "warmup": 5},\n'
    '    {"kind": "onecycle", "lr": 0.1}])',
    "TrainingRace": 'cw.TrainingRace(specs=[{"kind": "constant", "lr": 0.02}, {"kind": "step", "lr": 0.05, "step_size": 8},'
    '\n                       {"kind": "cosine", "lr": 0.05}], steps=12)',
    "LRFinder": 'cw.LRFinder("digits")',
    "EarlyStopping": 'cw.EarlyStopping("over-fitting")',
    "TrainingMonitor": 'cw.TrainingMonitor("A")',
    "SickRuns": 'cw.SickRuns("L", guesses={"L": "dead ReLUs"}, quantity="gradient")',
    "AugmentationGallery": "cw.AugmentationGallery(net, 3, images=pictures,\n"
    '                       augmentations=["rotate", "scale", "color"], strength=0.9)',
    "ActivationMaximizer": 'cw.ActivationMaximizer(net, target="7", steps=60, variation=0.01,\n'
    '                       regularizers=["total variation", "jitter", "rotate, scale"])',
    "InitLab": "cw.InitLab()",
    "GradientCheck": 'cw.GradientCheck(of="fc3.weight")',
    "HyperparameterSearch": 'cw.HyperparameterSearch("digits", by="all three", runs=16, box=[0.02, 0.1, 0.2, 0.9])',
    "OptimizerRace": "cw.OptimizerRace(step=20)",
    "TwoNetworks": 'cw.TwoNetworks(cw.FeatureMapBrowser, cw.load("scenes", weights=2), net, 4, "layer2.1.relu:2",\n'
    "               images=pictures, y=35, x=47)",
    "depth_race": 'cw.TrainingRace(replay="depth")',
    "sanity_check": "cw.SaliencyPanel(net, 4, images=pictures, randomized=4,\n"
    '                 methods=["saliency", "guided_backprop", "grad_cam"])',
}
"""What each picture shows: the last line is the panel. There is one for each panel, by its name, and some more."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m docs.pictures", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[[], *STATES], metavar="NAME", help=f"of {', '.join(STATES)}; all of them"
    )
    names = parser.parse_args(arguments).names or list(STATES)
    with tempfile.TemporaryDirectory() as folder, notebook(Path(folder), names) as opened:
        for theme in THEMES:
            dress(opened, theme)
            for number, name in enumerate(names, start=1):
                taken = crop(opened, number)
                save(taken, PICTURES / f"{name}-{theme}.webp")
                if theme == "light" and "_" not in name:
                    save(thumbnail(taken), THUMBNAILS / f"{name}.webp")
        if opened.problems:
            raise SystemExit("\n".join(opened.problems))


@contextmanager
def notebook(folder: Path, names: list[str]) -> Iterator[Notebook]:
    """A notebook in JupyterLab in which every panel has come to rest, a cell each."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser_path(playwright), args=FLAGS)
        lab = Lab(folder)
        try:
            page = chromium.new_page(viewport={"width": 1280, "height": 1400}, device_scale_factor=1)
            page.set_default_timeout(LONG)
            lab.write("pictures.ipynb", BEGIN, *(STATES[name] for name in names))
            opened = Notebook(page, lab, "pictures.ipynb")
            page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
            opened.run(0)
            for number, name in enumerate(names, start=1):
                opened.run(number)
                rest(opened, number, name)
            yield opened
            opened.shut_down()
        finally:
            lab.stop()
            chromium.close()


def rest(opened: Notebook, number: int, name: str, seconds: float = 300) -> None:
    """Wait until a panel computes nothing more."""
    opened.cell(number).locator(".cwp-status").first.wait_for()
    end = time.monotonic() + seconds
    while True:
        opened.page.wait_for_timeout(1000)
        kinds = {status.get_attribute("data-kind") for status in opened.cell(number).locator(".cwp-status").all()}
        if "error" in kinds:
            raise SystemExit(f"{name}: {opened.cell(number).locator('.cwp-status').first.inner_text()}")
        if kinds == {"ready"} and opened.page.evaluate(Notebook.IDLE):
            return
        if time.monotonic() > end:
            raise SystemExit(f"{name} is not ready after {seconds:.0f} s: {kinds}")


def dress(opened: Notebook, theme: str) -> None:
    opened.page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", THEMES[theme])
    opened.page.wait_for_timeout(2000)


def crop(opened: Notebook, number: int) -> Image.Image:
    """A panel as it is on screen, with a margin."""
    page, panel = opened.page, opened.cell(number).locator(".cwp").first
    opened.cell(number).evaluate("cell => cell.scrollIntoView({ block: 'start' })")
    page.mouse.move(2, 2)  # nothing is pointed at
    page.evaluate("() => document.activeElement?.blur()")
    page.wait_for_timeout(800)
    box = panel.bounding_box()
    clip = {
        "x": box["x"] - MARGIN,
        "y": box["y"] - MARGIN,
        "width": box["width"] + 2 * MARGIN,
        "height": box["height"] + 2 * MARGIN,
    }
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")


def thumbnail(picture: Image.Image) -> Image.Image:
    """The upper part of a picture, small."""
    width, height = THUMBNAIL
    part = picture.crop((0, 0, picture.width, min(picture.height, round(picture.width * height / width))))
    return part.resize((width, round(part.height * width / part.width)), Image.Resampling.LANCZOS)


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture as it is: as lossless WebP it has a third of the bytes that a PNG has.

    Raises:
        SystemExit: the file is too large for a page.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, lossless=True, method=6)
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}  {picture.width}×{picture.height}  {size / 1000:.0f} kB", flush=True)
    if size > MOST_BYTES:
        raise SystemExit(f"{path.name} has {size:,} bytes; expected at most {MOST_BYTES:,}")


if __name__ == "__main__":
    main()
