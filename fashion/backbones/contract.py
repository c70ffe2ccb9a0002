"""What a network of this project offers, whichever library it comes from."""

from typing import NamedTuple, Protocol

from torch import Tensor, nn

from fashion.preprocess import InputSpec

TIMM_PREFIX = "timm/"  # of the names of networks that timm has


class Output(NamedTuple):
    """What the network says of B images.

    Attributes:
        logits: (B, N), one for each output.
        embedding: (B, E), the pooled feature map. `logits` is linear in it.
        features: (B, E, h, w), the last feature map; its mean over h and w is `embedding`.
    """

    logits: Tensor
    embedding: Tensor
    features: Tensor


class Backbone(nn.Module):
    """A convolutional network with a linear head on its averaged feature map.

    Families derive from a class of their library and from this one, so that the state dict keeps the library's names.
    Engines, weight loading, initialization and heat maps ask these methods and know no layer by name. (The methods
    are not called `stem`, `stages` and `head`: libraries have modules of those names.)

    Attributes:
        head_name: name of the head's module in the state dict, such as `fc`.
        num_features: E, the length of the embedding.
    """

    head_name: str
    num_features: int

    def get_features(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) normalized -> (B, E, h, w), whose mean over h and w the head is linear in."""
        raise NotImplementedError

    def get_head(self) -> nn.Linear:
        """The last layer: (B, E) -> (B, N)."""
        head = self.get_submodule(self.head_name)
        assert isinstance(head, nn.Linear)
        return head

    def get_stem(self) -> nn.Conv2d:
        """The convolution that reads the image."""
        return next(module for module in self.modules() if isinstance(module, nn.Conv2d))

    def residual_norms(self) -> list[nn.Module]:
        """The last batch norm of each residual block; empty where the family does not tell them."""
        return []

    def get_stages(self) -> list[list[nn.Module]]:
        """The modules with weights by depth, from the image to the last feature map; the head is in none."""
        raise NotImplementedError

    @property
    def head_weights(self) -> tuple[str, str]:
        """The names of the head's weight and bias in the state dict."""
        return f"{self.head_name}.weight", f"{self.head_name}.bias"

    def forward(self, images: Tensor) -> Output:
        """images: (B, 3, S, S) normalized, S at least 32."""
        features = self.get_features(images)  # (B, E, h, w)
        embedding = features.mean((2, 3))  # (B, E)
        return Output(self.get_head()(embedding), embedding, features)


class Family(Protocol):
    """The module of a family, such as `fashion.backbones.resnet`. `arch` is a name that the family knows.

    Attributes:
        QUANTIZED: sets of ONNX operations that an int8 file may compute in integers, the fastest first. The export
            takes the first one whose file answers as the fp32 file does. An activation (Relu, Clip) among them costs
            nothing: its limits become those of the convolution's output, whose 256 levels then cover what is used.
    """

    QUANTIZED: tuple[tuple[str, ...], ...]

    def build(self, arch: str, num_outputs: int) -> Backbone:
        """A network with random weights. Raises SettingError for a name or a kind of network that cannot be had."""
        ...

    def check(self, arch: str) -> None:
        """Raises SettingError for a name that the family does not have; builds nothing."""
        ...

    def declared_input(self, arch: str) -> InputSpec:
        """The input that the family's pretrained weights were trained with."""
        ...

    def imagenet(self, arch: str) -> dict[str, Tensor]:
        """Pretrained weights as a state dict, head included. Raises SettingError where they cannot be had."""
        ...
