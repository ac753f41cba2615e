"""What is used of torch that it does not promise to keep, and that nothing else stands in for."""

from cnnwidgets.optional import needs

with needs("torch", "cnnwidgets"):
    from torch._C import DisableTorchFunction
    from torch._ops import OpOverload
    from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["DisableTorchFunction", "OpOverload", "TorchDispatchMode"]
