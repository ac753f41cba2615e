"""How every panel looks in JupyterLab, measured: what is on screen, what is clipped, what can be read, reached and named.

One notebook has all panels; its page is resized and changes its theme. ``docs/look.md`` says what is wanted.
"""

from __future__ import annotations

import pytest

from cnnwidgets.registry import example_line, panels
from tests.browser.lab import Notebook, new_page
from tests.browser.strips import axe

pytestmark = pytest.mark.browser

NAMES = list(panels())
SIZES = {600: 800, 1024: 768, 1280: 720, 1366: 768}
READY = """() => [...document.querySelectorAll('.cwp-status')].every((one) => one.dataset.kind === 'ready')"""

every_panel = pytest.mark.parametrize("name", NAMES)
"""Stands above the widths and themes: pytest goes through all panels before it draws the whole page anew."""


@pytest.fixture(scope="module")
def gallery(chromium, lab):
    """All examples in one notebook, each computed and drawn."""
    lab.write("look.ipynb", "import cnnwidgets as cw\nmade = {}", *(_cell(name) for name in NAMES))
    with new_page(chromium) as page:
        notebook = Notebook(page, lab, "look.ipynb")
        page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        for number in range(len(NAMES) + 1):
            notebook.run(number)
            if number:
                notebook.cell(number).locator(".cwp-status[data-kind=ready]").first.wait_for()
        page.wait_for_function(READY)
        page.wait_for_function(Notebook.IDLE)
        yield notebook
        notebook.shut_down()


def _cell(name: str) -> str:
    return f"made['{name}'] = {example_line(panels()[name])}\nmade['{name}']"


class Look:
    """A panel in the gallery, at a width and in a theme."""

    def __init__(self, gallery: Notebook, name: str, width: int = 1280, theme: str = "Light"):
        self.page, self.python = gallery.page, gallery.python
        self.cell = gallery.cell(NAMES.index(name) + 1)
        size = {"width": width, "height": SIZES[width]}
        resizes = self.page.viewport_size != size
        recolors = self.page.evaluate("document.body.dataset.jpThemeName") != f"JupyterLab {theme}"
        if resizes:
            self.page.set_viewport_size(size)
        if recolors:
            change = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
            self.page.evaluate(change, f"JupyterLab {theme}")
            self.page.wait_for_function("(name) => document.body.dataset.jpThemeName === name", arg=f"JupyterLab {theme}")
        self.cell.evaluate("(one) => one.scrollIntoView({ block: 'start' })")
        self.page.wait_for_timeout(2000 if resizes or recolors else 200)  # for what is drawn again
        self.panel = self.cell.locator(".cwp").first

    def ask(self, function: str, *given):
        return self.panel.evaluate(f"(panel, given) => {{ {TOOLS}\n return ({function})(...given); }}", list(given))


TOOLS = """
const seen = { visibilityProperty: true, opacityProperty: true };
const shown = (one) => one.checkVisibility(seen) && one.getBoundingClientRect().width > 1;
const texts = (from) => {
  const walk = document.createTreeWalker(from, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walk.nextNode()) {
    const { nodeValue, parentElement } = walk.currentNode;
    if (!nodeValue.trim() || !shown(parentElement) || parentElement.closest('.cwp-unseen, style')) continue;
    found.push(walk.currentNode);
  }
  return found;
};
const above = (one) => (one && one !== panel.parentElement ? [one, ...above(one.parentElement)] : []);
const wordsOf = (one) => (one.textContent || one.value || one.tagName).trim().slice(0, 60);
const told = (one) => `${one.className.baseVal ?? one.className}: ${wordsOf(one)}`;
"""


# the screen


@every_panel
def test_the_main_picture_and_its_controls_are_on_a_projector_s_screen(gallery, name):
    """At 1280x720 JupyterLab shows 598 pixels of notebook, whose first are a cell of two lines."""
    look = Look(gallery, name)
    screen = look.page.locator(".jp-WindowedPanel-outer").first.bounding_box()
    parts = look.ask("""() => {
      const large = (one) => one.getBoundingClientRect().height * one.getBoundingClientRect().width;
      const view = [...panel.querySelectorAll('.cwp-view')].find((one) => shown(one) && large(one) > 0);
      const drawn = [...view.querySelectorAll('canvas, .cw-plot, table, svg')].filter(shown);
      drawn.sort((a, b) => large(b) - large(a));
      return [panel.querySelector('.cwp-strip'), drawn[0] ?? view].map((one) => one.getBoundingClientRect().bottom); }""")
    assert max(parts) <= screen["y"] + screen["height"], f"strip and picture end at {parts}, the screen at {screen}"


@every_panel
def test_code_panel_and_finding_fit_a_projector_s_screen(gallery, name):
    look = Look(gallery, name)
    screen = look.page.locator(".jp-WindowedPanel-outer").first.bounding_box()
    assert look.cell.bounding_box()["height"] <= screen["height"]


def test_two_rows_of_feature_maps_are_on_a_projector_s_screen(gallery):
    look = Look(gallery, "FeatureMapBrowser")
    screen = look.page.locator(".jp-WindowedPanel-outer").first.bounding_box()
    grid = look.panel.locator(".cw-grid canvas.cw-canvas").first.bounding_box()
    count = int(look.python("print(made['FeatureMapBrowser'].grid.shape[0])"))
    sizes = [(grid["width"] / columns, -(-count // columns)) for columns in range(1, count + 1)]
    side = min(sizes, key=lambda size: abs(size[0] * size[1] - grid["height"]))[0]
    assert grid["y"] + 2 * side <= screen["y"] + screen["height"]


# the width


CLIPPED = """() => [...new Set(texts(panel).map((text) => text.parentElement))].filter((one) => {
    const { overflowX, overflowY } = getComputedStyle(one);
    const wide = overflowX !== 'visible' && one.scrollWidth > one.clientWidth + 1;
    const tall = overflowY === 'hidden' && one.scrollHeight > one.clientHeight + 2;
    const more = above(one).some((each) => each.title || each.matches('.cwp-field, .cwp-listing'));
    return one.clientWidth && (wide || tall) && !more;
  }).map((one) => `${one.scrollWidth}x${one.scrollHeight} in ${one.clientWidth}x${one.clientHeight}: ${told(one)}`)"""
"""Texts of which a part is hidden, and no tooltip has it."""

WIDER = """() => {
    const edge = panel.getBoundingClientRect();
    const inside = (one) => one.right <= edge.right + 1 && one.left >= edge.left - 1;
    const scrolls = (one) => one !== panel && getComputedStyle(one).overflowX !== 'visible';
    return [...panel.querySelectorAll('*')].filter((one) => shown(one) && !one.closest('.cwp-tip, .cwp-list, .cwp-unseen'))
      .filter((one) => !inside(one.getBoundingClientRect()) && !above(one).slice(1).some(scrolls)).map(told);
  }"""
"""What is wider than the panel."""

HIDDEN = """() => [...panel.querySelectorAll('.cwp-view')].filter(shown)
    .filter((one) => one.scrollWidth > one.clientWidth + 1)
    .map((one) => `${one.scrollWidth} in ${one.clientWidth}: ${told(one)}`)"""
"""Views that are scrolled sideways."""


@every_panel
@pytest.mark.parametrize("width", [600, 1024, 1366])
def test_no_text_is_clipped_and_nothing_is_wider_than_the_panel(gallery, name, width):
    look = Look(gallery, name, width)
    more = look.panel.locator("[data-button=more]").first
    opened = more.count() and more.is_visible()
    for click in range(2 if opened else 1):
        if click:
            more.click()
        assert (look.ask(CLIPPED), look.ask(WIDER), look.ask(HIDDEN)) == ([], [], [])
    if opened:
        more.click()


# colors


CONTRAST = """() => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const rgb = (layers) => {
    context.globalAlpha = 1;
    context.clearRect(0, 0, 1, 1);
    for (const [color, alpha] of layers) {
      context.globalAlpha = alpha;
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
    }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => c / 255);
  };
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = (color) => 0.05 + color.reduce((sum, c, k) => sum + linear(c) * [0.2126, 0.7152, 0.0722][k], 0);
  const all = (one) => (one ? [...all(one.parentElement), one] : []);
  const ground = (one) => all(one).map((each) => [getComputedStyle(each).backgroundColor, 1]);
  return texts(panel).map((text) => text.parentElement).map((one) => {
    const style = getComputedStyle(one);
    const alpha = all(one).reduce((product, each) => product * Number(getComputedStyle(each).opacity), 1);
    const ink = one instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(rgb([...ground(one), [ink, alpha]])), light(rgb(ground(one)))];
    return [Math.max(a, b) / Math.min(a, b), told(one)];
  }).filter(([contrast]) => contrast < 4.5).map(([contrast, words]) => `${contrast.toFixed(2)} ${words}`);
}"""
"""Texts whose contrast with what is below them is too small, by the formula of WCAG."""


@every_panel
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_text_can_be_read(gallery, name, theme):
    look = Look(gallery, name, theme=theme)
    assert look.ask("() => texts(panel).length") > 5
    assert look.ask(CONTRAST) == []


@every_panel
def test_no_text_is_smaller_than_13_pixels(gallery, name):
    look = Look(gallery, name)
    small = """() => [...new Set(texts(panel).map((text) => text.parentElement))]
      .filter((one) => parseFloat(getComputedStyle(one).fontSize) < 13 && !one.closest('sup, sub, tspan[dy]'))
      .map((one) => `${getComputedStyle(one).fontSize} ${told(one)}`)"""
    assert look.ask(small) == []


# the keyboard, and who cannot see


@every_panel
def test_every_control_is_reached_by_tab_and_shows_that_it_has_the_focus(gallery, name):
    look = Look(gallery, name)
    look.ask("""() => { const usable = 'button, input, select, textarea, a[href], [tabindex]';
      const mine = [...panel.querySelectorAll(usable)].filter((one) => shown(one) || one.matches('.cwp-strip input'))
        .filter((one) => !one.disabled && one.tabIndex >= 0 && !one.hidden && one.checkVisibility());
      mine.forEach((one, k) => (one.dataset.look = one.type === 'radio' ? `radio ${one.name}` : `${k}`)); }""")
    wanted = set(look.ask("() => [...panel.querySelectorAll('[data-look]')].map((one) => one.dataset.look)"))
    look.ask("() => { panel.tabIndex = -1; panel.focus({ preventScroll: true }); panel.removeAttribute('tabindex'); }")
    reached, dull = set(), []
    for _ in range(len(wanted) + 5):
        look.page.keyboard.press("Tab")
        found = look.ask("""() => { const one = document.activeElement;
          if (!panel.contains(one)) return null;
          const around = [one, one.nextElementSibling, ...above(one).slice(1, 4)].filter(Boolean);
          const rung = around.map((each) => getComputedStyle(each))
            .some((style) => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0);
          return [one.dataset.look ?? '', rung, one.outerHTML.slice(0, 120)]; }""")
        if not found:
            break
        reached.add(found[0])
        if not found[1]:
            dull.append(found[2])
    missing = """(reached) => [...panel.querySelectorAll('[data-look]')]
      .filter((one) => !reached.includes(one.dataset.look)).map(told)"""
    missed = look.ask(missing, list(reached))
    assert (missed, dull) == ([], [])
    assert wanted
    deaf = """() => [...panel.querySelectorAll('*')].filter(shown)
      .filter((one) => getComputedStyle(one).cursor === 'pointer')
      .filter((one) => !one.closest('button, input, select, label, a[href], [tabindex], [role=option], [role=grid]'))
      .map(told)"""
    assert look.ask(deaf) == [], "what a pointer can press a key can, too"


@every_panel
def test_every_control_has_a_name_and_axe_finds_nothing(gallery, name):
    look = Look(gallery, name)
    look.ask(f"() => panel.setAttribute('data-axe', '{name}')")
    assert axe(look.page, f"[data-axe={name}]") == []


# motion


@every_panel
def test_nothing_moves_for_who_asked_for_that(gallery, name):
    gallery.page.emulate_media(reduced_motion="reduce")
    try:
        look = Look(gallery, name)
        moving = """() => [...panel.querySelectorAll('*')].filter((one) => ['', '::before', '::after'].some((part) => {
            const { transitionDuration, animationDuration } = getComputedStyle(one, part || null);
            return [transitionDuration, animationDuration].join(',').split(',').some((time) => parseFloat(time) > 0);
          })).map(told)"""
        assert look.ask(moving) == []
    finally:
        gallery.page.emulate_media(reduced_motion="no-preference")


def test_points_are_at_their_new_places_at_once_for_who_asked_for_that(gallery):
    gallery.page.emulate_media(reduced_motion="reduce")
    try:
        look = Look(gallery, "EmbeddingExplorer")
        canvas = look.panel.locator(".cw-scatter canvas[data-seq]").first
        before = int(canvas.get_attribute("data-seq"))
        look.python("made['EmbeddingExplorer'].scatter.move(1.1 * made['EmbeddingExplorer'].result.points, tween=300)")
        look.page.wait_for_timeout(600)
        assert 1 <= int(canvas.get_attribute("data-seq")) - before <= 3, "a glide is 18 frames"
    finally:
        gallery.page.emulate_media(reduced_motion="no-preference")
