"""The HTTP shim: `create_app(engine)` is a plain ASGI app without globals, which any server can mount."""

try:
    from .app import create_app
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"genlib.server needs the package {error.name!r}: pip install 'genlib[server]'", name=error.name
    ) from error

__all__ = ["create_app"]
