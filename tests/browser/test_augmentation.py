"""AugmentationGallery, touched as a person touches it: other changes, another strength, crops averaged."""

import pytest

pytestmark = pytest.mark.browser


def test_a_change_is_chosen_the_strength_moved_and_crops_are_averaged(notebook):
    make = "panel = cw.AugmentationGallery(cw.load('digits'), cw.samples.digits(), copies=5)\npanel"
    book = notebook("import cnnwidgets as cw", make)
    book.run(0)
    book.run(1)
    book.wait_python("len(panel.result.strengths)", "11")
    cell = book.cell(1)
    cell.get_by_role("checkbox", name="noise", exact=True).check()
    book.wait_python("panel.result.augmentations", "('rotate', 'noise')")
    marker = cell.locator(".cw-rule").first
    for _ in range(4):
        marker.press("Shift+ArrowRight")
    book.wait_python("panel.strength > 0.65 and panel.chart.line == panel.strength", "True")
    book.wait_python("panel.status.message.startswith(f'At strength {round(panel.strength, 1):g}, ')", "True")
    cell.get_by_role("button", name="Average crops").click()
    book.wait_python("panel.cropped is not None and panel.cropped.right.shape", "(500, 4)")
    cell.get_by_text("ten crops").first.wait_for()
    assert book.problems == []
    assert book.outside() == []
