"""PyTorch's AdamW as both language models of the peers use it: matrices decay, the gradient's norm is limited."""

from __future__ import annotations

from typing import Any


def import_optimizers() -> None:
    """Let PyTorch import the 800 modules it puts off until the first optimizer, before any timed work."""
    import torch

    torch.optim.AdamW([torch.zeros(1, requires_grad=True)], fused=True)


def adamw(model: Any, rate: float, weight_decay: float, betas: tuple[float, float]) -> Any:
    """Return an optimizer of a module's parameters; only matrices decay."""
    import torch

    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, rate, betas=betas, fused=True)


def update(model: Any, optimizer: Any, loss: Any, rate: float, clip_norm: float) -> None:
    """Take a step against the gradient of a loss."""
    import torch

    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
