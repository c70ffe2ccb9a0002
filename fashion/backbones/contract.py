"""The common interface of all networks, whichever library they come from."""

from typing import NamedTuple, Protocol

from torch import Tensor, nn

from fashion.preprocess import InputSpec

TIMM_PREFIX = "timm/"  # prefix of the names of timm networks


class Output(NamedTuple):
    """The network's output for a batch of B images.

    Attributes:
        logits: (B, N), one per output.
        embedding: (B, E), the pooled feature map; `logits` is linear in it.
        features: (B, E, h, w), the last feature map; its mean over h and w is `embedding`.
    """

    logits: Tensor
    embedding: Tensor
    features: Tensor


class Backbone(nn.Module):
    """A convolutional network with a linear head on its averaged feature map.

    A family's class inherits from its library's class and from this one, so the state dict keeps the library's names.
    Engines, weight loading, initialization and heat maps use these methods, never layer names. (The `get_` prefix
    avoids clashes: libraries have modules named `stem`, `stages` and `head`.)

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
        """The first convolution."""
        return next(module for module in self.modules() if isinstance(module, nn.Conv2d))

    def residual_norms(self) -> list[nn.Module]:
        """The last batch norm of each residual block; empty if the family does not implement this."""
        return []

    def get_stages(self) -> list[list[nn.Module]]:
        """The modules with weights, grouped by depth from the input to the last feature map, without the head."""
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
    """Interface of a family's module, such as `fashion.backbones.resnet`. `arch` is a name that the family knows.

    Attributes:
        QUANTIZED: sets of ONNX operator types to quantize to int8, fastest first. The export takes the first set whose
            file agrees with the fp32 file. Including an activation (Relu, Clip) costs nothing: its bounds become the
            range of the convolution's output, so the 256 levels cover only values in use.
    """

    QUANTIZED: tuple[tuple[str, ...], ...]

    def build(self, arch: str, num_outputs: int) -> Backbone:
        """Build a network with random weights. Raises SettingError for an unknown or unsupported network."""
        ...

    def check(self, arch: str) -> None:
        """Raise SettingError for a name that the family does not have, without building the network."""
        ...

    def declared_input(self, arch: str) -> InputSpec:
        """The input that the family's pretrained weights were trained with."""
        ...

    def imagenet(self, arch: str) -> dict[str, Tensor]:
        """Pretrained ImageNet weights as a state dict, head included. Raises SettingError if they are unavailable."""
        ...
