"""The input's shape: who says it, what is guessed and said to be, and what a data set tells when it is given to ``bind``."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Dataset, Subset, TensorDataset
from torchvision import datasets, models
from torchvision.transforms import v2

import cnnwidgets as cw
from cnnwidgets.net import bind
from tests.net.half_finished import HalfFinished
from tests.net.networks import LeNet5, Residual, cheap, unchanged

RNG = np.random.default_rng(0)
SCALED = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
NORMALIZED = v2.Compose([v2.Resize((20, 24)), SCALED, v2.Normalize([0.5] * 3, [0.25] * 3)])
GUESSED = "the input size {} was guessed, and the network takes others, too: pass input_shape= or images= to cw.bind"
FIRST = GUESSED.replace("guessed", "taken from the first picture")


def picture(height: int, width: int, mode: str = "RGB") -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)


class Photos(Dataset):
    """Pictures of some sizes, with a transform as torchvision's data sets have one."""

    def __init__(self, sizes, transform=None, classes=("ant", "bee", "cat", "dog", "eel")):
        self.sizes, self.transform, self.classes = sizes, transform, classes

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, i: int):
        if self.sizes[i] is None:
            raise OSError("the file is truncated")
        image = picture(*self.sizes[i])
        return (self.transform(image) if self.transform else image), i % 5


# what is guessed is said


def test_a_guess_is_said_in_the_repr_and_in_the_notes():
    net = bind(Residual().eval())
    assert net.notes == ()
    _ = net.layers
    assert repr(net).startswith("<Residual: 3×224×224 (guessed), ")
    assert net.notes == (GUESSED.format("3×224×224"),)


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (LeNet5, (1, 32, 32)),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), (1, 28, 28)),
        (lambda: models.VisionTransformer(32, 16, 1, 2, 8, 8, num_classes=3), (3, 32, 32)),
        (lambda: nn.Sequential(nn.Conv2d(3, 1, 1), nn.Flatten(), nn.Linear(224 * 224, 2)), (3, 224, 224)),
    ],
)
def test_a_size_that_the_network_itself_fixes_is_no_guess(build, shape):
    net = bind(build().eval())
    assert net.input_shape == shape and net.notes == () and "guessed" not in repr(net)


@pytest.mark.parametrize(
    "options",
    [{"input_shape": (3, 64, 64)}, {"preprocess": v2.Compose([v2.Resize((64, 64)), SCALED])}],
    ids=["input_shape", "preprocess"],
)
def test_a_size_that_was_given_is_no_guess(options):
    net = bind(Residual().eval(), **options)
    net.predict(picture(50, 40))
    assert net.input_shape == (3, 64, 64) and net.notes == ()


def test_a_preprocessed_tensor_is_no_guess():
    net = bind(Residual().eval())
    net.predict(torch.rand(3, 20, 24))
    assert net.input_shape == (3, 20, 24) and net.notes == ()


def test_the_first_pictures_own_size_comes_first_and_is_said():
    net = bind(Residual().eval())
    first = picture(64, 48)
    expected = torch.from_numpy(np.array(first) / 255).permute(2, 0, 1).float()
    assert torch.equal(net.prepare(first)[0], expected)  # it was not resized
    assert net.input_shape == (3, 64, 48) and net.notes == (FIRST.format("3×64×48"),)
    assert repr(net).startswith("<Residual: 3×64×48 (taken from the first picture), ")


def test_a_picture_of_a_size_that_the_network_does_not_take_is_resized():
    net = bind(LeNet5().eval())
    assert net.prepare(picture(64, 48)).shape == (1, 1, 32, 32) and net.notes == ()


def test_a_perceptron_takes_the_first_pictures_own_size():
    net = bind(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval())
    net.predict(picture(14, 56, "L"))
    assert net.input_shape == (1, 14, 56)


def test_a_photograph_does_not_tell_the_size():
    net = bind(Residual().eval())
    net.predict(picture(300, 400))
    assert net.input_shape == (3, 224, 224) and net.notes == (GUESSED.format("3×224×224"),)


def test_a_first_picture_that_is_none_settles_nothing(tmp_path):
    net = bind(Residual().eval())
    for wrong in (str(tmp_path / "cat.jpg"), None, torch.zeros(3, 4), np.zeros((4, 4), complex), []):
        with pytest.raises((FileNotFoundError, TypeError, ValueError)):
            net.predict(wrong)
    assert repr(net).startswith("<Residual: input not known yet")
    net.predict(picture(20, 24))
    assert net.input_shape == (3, 20, 24)


def test_a_preprocessing_that_keeps_the_size_takes_that_of_the_first_picture():
    net = bind(Residual().eval(), preprocess=SCALED)
    first = picture(40, 48)
    assert torch.equal(net.prepare(first)[0], SCALED(first))
    assert net.notes == (FIRST.format("3×40×48"),)
    with pytest.raises(ValueError, match="preprocess gave a float32 tensor 3×20×24; the network expects 3×40×48"):
        net.prepare(picture(20, 24))


def test_in_training_mode_that_is_said_of_the_network():
    net = bind(Residual(), input_shape=(3, 8, 8))
    said = "your network was in training mode; it was run in evaluation mode and left as it was"
    assert net.notes == (said,)
    net.module.eval()
    assert net.notes == ()


# a network trained on 64x64


def test_a_network_of_small_pictures_is_as_good_as_it_is_with_a_data_set_or_their_pictures():
    """What it comes to: how many of the scenes' digits are read, of pictures as a user has them."""
    sample, scenes = cw.load("scenes"), cw.samples.scenes()
    pictures = [scenes.picture(i) for i in range(100)]

    def right(net) -> float:
        names = [predicted[0][0] for predicted in net.predict([Image.fromarray(one) for one in pictures], k=1)]
        return sum(name == str(label) for name, label in zip(names, scenes.labels, strict=False)) / 100

    own = right(sample)
    assert own > 0.95
    assert right(bind(sample.module, images=scenes)) == own
    assert right(bind(sample.module, preprocess=sample.preprocess)) == own
    unscaled = bind(sample.module)
    assert right(unscaled) > 0.8 and unscaled.input_shape == (3, 64, 64)


# what a data set tells


def test_a_data_set_tells_shape_classes_and_preprocessing():
    net = bind(Residual().eval(), images=Photos([(50, 60), (70, 30)], NORMALIZED))
    assert net.input_shape == (3, 20, 24) and net.preprocess is NORMALIZED and net.notes == ()
    assert net.classes == ("ant", "bee", "cat", "dog", "eel")
    other = picture(33, 44)
    assert torch.equal(net.prepare(other)[0], NORMALIZED(other))


@pytest.mark.parametrize("wrap", [lambda d: Subset(d, [1, 0]), lambda d: Subset(Subset(d, [0, 1]), [1])])
def test_a_part_of_a_data_set_tells_as_much(wrap):
    net = bind(Residual().eval(), images=wrap(Photos([(50, 60), (70, 30)], NORMALIZED)))
    assert net.input_shape == (3, 20, 24) and net.preprocess is NORMALIZED and net.classes[1] == "bee"


def test_a_folder_of_pictures_tells_its_classes(tmp_path):
    for name in ("wolf", "husky", "10", "9", "cow"):
        (tmp_path / name).mkdir()
        picture(50, 60).save(tmp_path / name / "a.png")
    net = bind(Residual().eval(), images=datasets.ImageFolder(str(tmp_path), NORMALIZED))
    assert net.classes == ("10", "9", "cow", "husky", "wolf") and net.input_shape == (3, 20, 24)


def test_what_is_given_is_not_learned():
    given = v2.Compose([v2.Resize((16, 16)), SCALED])
    net = bind(Residual().eval(), images=Photos([(50, 60)], NORMALIZED), preprocess=given, classes=list("abcde"))
    assert net.preprocess is given and net.classes == tuple("abcde") and net.input_shape == (3, 16, 16)


@pytest.mark.parametrize("sizes", [[(64, 48)] * 3, [(1024, 1024)] * 2], ids=["small", "large"])
def test_pictures_of_one_size_tell_it_however_large(sizes):
    net = bind(cheap(models.resnet18).eval(), images=Photos(sizes))
    assert net.input_shape == (3, *sizes[0]) and net.notes == ()


def test_pictures_of_several_sizes_tell_none():
    net = bind(Residual().eval(), images=Photos([(64, 48), (50, 60)]))
    assert net.input_shape == (3, 224, 224) and net.notes == (GUESSED.format("3×224×224"),)


def test_tensors_tell_the_shape_and_no_preprocessing():
    net = bind(Residual().eval(), images=TensorDataset(torch.rand(4, 3, 20, 24), torch.arange(4)))
    assert net.input_shape == (3, 20, 24) and net.notes == () and net.classes == tuple("01234")


def test_items_that_cannot_be_read_are_passed_over():
    net = bind(Residual().eval(), images=Photos([None, None, (50, 60)], NORMALIZED))
    assert net.input_shape == (3, 20, 24) and net.preprocess is NORMALIZED


def test_tensors_that_are_for_another_network_tell_nothing():
    net = bind(LeNet5().eval(), images=cw.samples.scenes())
    assert net.input_shape == (1, 32, 32)


def test_a_transform_for_training_is_not_taken_and_that_is_said():
    training = v2.Compose([v2.RandomResizedCrop((20, 24)), v2.RandomHorizontalFlip(), SCALED])
    net = bind(Residual().eval(), images=Photos([(50, 60)], training))
    assert net.input_shape == (3, 20, 24)
    assert net.notes == (
        "the data set's transform draws random numbers, as for training: pictures are scaled to [0, 1] instead, "
        "unless preprocess= is given to cw.bind",
    )
    flat = Image.new("RGB", (24, 20), (51, 102, 153))
    assert torch.allclose(net.prepare(flat)[0].mean((1, 2)), torch.tensor([0.2, 0.4, 0.6]))


def test_learning_leaves_everybodys_random_numbers_as_they_were():
    def draws(image):
        _ = np.random.rand(), random.random()
        return SCALED(image) + torch.rand(1)

    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    alone = torch.rand(3), np.random.rand(3), random.random()
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    model = Residual().eval()
    torch.manual_seed(1)
    with unchanged(model):
        bind(model, images=Photos([(20, 24)], draws))
    assert torch.equal(torch.rand(3), alone[0]) and np.array_equal(np.random.rand(3), alone[1])
    assert random.random() == alone[2]


def test_more_names_than_outputs_are_the_data_sets_and_not_the_networks():
    net = bind(Residual().eval(), images=Photos([(50, 60)], NORMALIZED, classes=tuple("abcdefg")))
    assert net.predict(picture(20, 24), k=1)[0][0][0] in tuple("01234")
    assert net.classes == tuple("01234")
    assert net.notes == ("the data set names 7 classes, and the network has 5 outputs: they go by number",)


def test_the_shape_alone_is_learned_of_a_network_that_was_bound_before():
    net = bind(Residual().eval())
    net.learn_input_shape(Photos([(50, 60)], NORMALIZED))
    assert net.input_shape == (3, 20, 24) and net.preprocess is not NORMALIZED and net.classes == tuple("01234")
    net.learn_input_shape(Photos([(50, 60)], SCALED))
    assert net.input_shape == (3, 20, 24)  # which is known by now


@pytest.mark.parametrize("images", ["cat.jpg", picture(8, 8), torch.rand(3, 8, 8), 7, iter([1]), {"train": [picture(8, 8)]}])
def test_what_is_no_data_set_is_refused(images):
    with pytest.raises(TypeError, match=r"expected a data set.*, or a list of pictures.*, got"):
        bind(Residual(), images=images)


def test_an_empty_data_set_is_refused():
    with pytest.raises(ValueError, match="expected a data set to learn from, got an empty one"):
        bind(Residual(), images=[])


def test_a_half_finished_network_is_bound_with_a_data_set_all_the_same():
    net = bind(HalfFinished(NotImplementedError), images=Photos([(50, 60)], NORMALIZED))
    with pytest.raises(NotImplementedError, match="TODO: the classifier"):
        _ = net.layers
