"""Sending a trained model to the Hugging Face hub, or saying in a line why that cannot be.

Access and network are tried before training begins, so that nobody learns of a missing token after a week.
"""

from __future__ import annotations

import os
from pathlib import Path

from pixel_lm.errors import UserError

__all__ = ["check_access", "push"]

# Neither checkpoints nor what tells of the machine.
NOT_SENT = ["checkpoint-*/**", "runs/**", "reconstructions/**", "wandb/**", "arguments.yaml", ".*", "*.tmp"]


def check_access(repository: str) -> None:
    """Make the repository, private, if there is none of this name.

    Raises:
        UserError: no token, no network, no permission, or an impossible name.
    """
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise UserError(
            "push-to-hub needs a token for the Hugging Face hub: run `hf auth login`, or put one with the right to write into the "
            "environment variable HF_TOKEN"
        )
    try:
        HfApi(endpoint=_endpoint()).create_repo(repository, private=True, exist_ok=True)
    except _failures() as error:
        raise UserError(f"push-to-hub {repository}: {_reason(error)}") from None


def push(folder: Path, repository: str) -> str:
    """Send model, renderer, card and figures.

    Returns:
        The address of the commit.

    Raises:
        UserError: it did not work; the folder is as before.
    """
    from huggingface_hub import HfApi

    try:
        commit = HfApi(endpoint=_endpoint()).upload_folder(
            repo_id=repository,
            folder_path=folder,
            ignore_patterns=NOT_SENT,
            commit_message="A model trained with pixel-lm",
        )
    except _failures() as error:
        raise UserError(
            f"push-to-hub {repository}: {_reason(error)}. The model is in {folder}; the same command tries again, without training"
        ) from None
    return str(commit.commit_url)


def _failures() -> tuple[type[Exception], ...]:
    """What requests raise: the hub's answers, those of its HTTP library (another one in each major version), impossible names."""
    from huggingface_hub.errors import HfHubHTTPError

    return (*HfHubHTTPError.__bases__, ValueError)


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
