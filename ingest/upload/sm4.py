"""SM4 in ECB mode with PKCS#7, as platforms want single fields: lower-case hexadecimal of the encrypted UTF-8 text.

ECB shows which fields are equal. It is what the protocol has; TLS below it is what protects.
"""

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from analytics.domain.errors import ConfigurationError

__all__ = ["decrypted", "encrypted", "key_of"]

_BITS = 128


def key_of(secret: str) -> bytes:
    """Key of 16 bytes in 32 hexadecimal digits; ConfigurationError, which does not repeat it, for anything else."""
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        key = b""
    if len(key) != 16:
        raise ConfigurationError("secretKey must be 32 hexadecimal digits (got something else, which is not shown)")
    return key


def encrypted(text: str, key: bytes) -> str:
    """A field, encrypted.

    Examples
    --------
    >>> encrypted("123.45", key_of("0123456789abcdeffedcba9876543210"))
    '8903e2e3f6b843f58fa45deaf1b6a32a'
    """
    padder = padding.PKCS7(_BITS).padder()
    return _block(padder.update(text.encode()) + padder.finalize(), key, encrypt=True).hex()


def decrypted(cipher: str, key: bytes) -> str:
    """The text again; ValueError where key or text do not fit."""
    unpadder = padding.PKCS7(_BITS).unpadder()
    data = _block(bytes.fromhex(cipher), key, encrypt=False)
    return (unpadder.update(data) + unpadder.finalize()).decode()


def _block(data: bytes, key: bytes, *, encrypt: bool) -> bytes:
    cipher = Cipher(SM4(key), modes.ECB())  # noqa: S305 - the protocol's
    worker = cipher.encryptor() if encrypt else cipher.decryptor()
    return worker.update(data) + worker.finalize()
