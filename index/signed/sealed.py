"""Content that says nothing without its key."""

from __future__ import annotations


def seal(content: bytes) -> tuple[str, str]:
    """(a new key, the content encrypted and authenticated under it), both as ASCII text."""
    from cryptography.fernet import Fernet

    key = Fernet.generate_key()
    return key.decode(), Fernet(key).encrypt(content).decode()


def unsealed(text: bytes, key: str) -> bytes:
    """Raises ValueError for another key, and for a text that was altered."""
    from cryptography.fernet import Fernet, InvalidToken

    try:
        return Fernet(key).decrypt(text)
    except InvalidToken as error:
        raise ValueError("It is not sealed with this key.") from error
