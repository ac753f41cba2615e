"""The sample networks, small enough to train on a laptop's CPU in minutes."""

from collections import OrderedDict

import torch
from torch import Tensor, nn


class LeNet5(nn.Module):
    """LeNet-5 with ReLU and max pooling, its second convolution dense: 61,706 parameters.

    Input ``(N, 1, 32, 32)``, output ``(N, 10)`` logits. After LeCun, Bottou, Bengio and Haffner, "Gradient-based
    learning applied to document recognition", 1998, where C3 saw only some of the six maps (1,516 parameters
    instead of 2,416), pooling was a trained average, the activation tanh and the output a radial basis function.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)  # 6 x 28 x 28
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)  # 6 x 14 x 14
        self.conv2 = nn.Conv2d(6, 16, 5)  # 16 x 10 x 10
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)  # 16 x 5 x 5
        self.fc1 = nn.Linear(400, 120)
        self.relu3 = nn.ReLU()
        self.fc2 = nn.Linear(120, 84)
        self.relu4 = nn.ReLU()
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.conv1(x)))
        x = self.pool2(self.relu2(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = self.relu3(self.fc1(x))
        x = self.relu4(self.fc2(x))
        return self.fc3(x)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut: ``relu(x + f(x))``.

    As in torchvision, one in-place ReLU is used twice, and a 1x1 convolution fits the shortcut where the shape changes.
    """

    def __init__(self, channels_in: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or channels_in != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        x += shortcut
        return self.relu(x)


class SmallResNet(nn.Module):
    """A residual network of 14 layers with 16, 32 and 64 channels, named like torchvision's: 175,258 parameters.

    Input ``(N, 3, 64, 64)``, output ``(N, 10)`` logits. After He, Zhang, Ren and Sun, "Deep residual learning for
    image recognition", 2016, section 4.2, here with two blocks a stage and a stride of 2 in the first convolution.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)  # 16 x 32 x 32
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(BasicBlock(16, 16, 1), BasicBlock(16, 16, 1))  # 16 x 32 x 32
        self.layer2 = nn.Sequential(BasicBlock(16, 32, 2), BasicBlock(32, 32, 1))  # 32 x 16 x 16
        self.layer3 = nn.Sequential(BasicBlock(32, 64, 2), BasicBlock(64, 64, 1))  # 64 x 8 x 8
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = torch.flatten(self.avgpool(x), 1)
        return self.fc(x)


class SmallVGG(nn.Sequential):
    """A plain network in the style of VGG, one layer after the other and no shortcut: 19,794 parameters.

    Input ``(N, 3, 64, 64)``, output ``(N, 10)`` logits. After Simonyan and Zisserman, "Very deep convolutional networks
    for large-scale image recognition", 2015: every convolution is 3x3 with a padding of 1, and each of the three max
    poolings halves the maps, after which there are more of them. Here with batch normalization, and a mean over each map
    before the only fully connected layer.
    """

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                **_convolution(1, 3, 8),  # 8 x 64 x 64
                pool1=nn.MaxPool2d(2),  # 8 x 32 x 32
                **_convolution(2, 8, 16),
                **_convolution(3, 16, 16),  # 16 x 32 x 32
                pool2=nn.MaxPool2d(2),  # 16 x 16 x 16
                **_convolution(4, 16, 24),
                **_convolution(5, 24, 24),  # 24 x 16 x 16
                pool3=nn.MaxPool2d(2),  # 24 x 8 x 8
                **_convolution(6, 24, 32),  # 32 x 8 x 8
                **_head(32),
            )
        )


class SmallAlexNet(nn.Sequential):
    """A small network whose first layer is AlexNet's, 64 filters of 11x11 px in color: 42,794 parameters.

    Input ``(N, 3, 64, 64)``, output ``(N, 10)`` logits. The first layer is that of Krizhevsky, "One weird trick for
    parallelizing convolutional neural networks", 2014, and so of torchvision's AlexNet, but for a stride of 2 in place of
    4, since a digit is small, and batch normalization in place of a bias. Its 23,232 weights are more than half of all.
    A 1x1 convolution mixes its maps; what follows is as in `SmallVGG`.

    The bundled one's first layer is `edge_filters`, learned from photographs without a label, and was frozen while the
    rest was trained.
    """

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                **_convolution(1, 3, 64, side=11, stride=2),  # 64 x 32 x 32
                **_convolution(2, 64, 16, side=1),
                **_convolution(3, 16, 16),  # 16 x 32 x 32
                pool1=nn.MaxPool2d(2),  # 16 x 16 x 16
                **_convolution(4, 16, 24),
                **_convolution(5, 24, 24),  # 24 x 16 x 16
                pool2=nn.MaxPool2d(2),  # 24 x 8 x 8
                **_convolution(6, 24, 32),  # 32 x 8 x 8
                **_head(32),
            )
        )


def _convolution(number: int, channels_in: int, channels: int, side: int = 3, stride: int = 1) -> dict[str, nn.Module]:
    """A convolution that keeps the size, but for its stride; batch normalization, which has the bias; and a ReLU."""
    return {
        f"conv{number}": nn.Conv2d(channels_in, channels, side, stride, padding=side // 2, bias=False),
        f"bn{number}": nn.BatchNorm2d(channels),
        f"relu{number}": nn.ReLU(),
    }


def _head(channels: int) -> dict[str, nn.Module]:
    return {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(channels, 10)}
