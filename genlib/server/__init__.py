"""The HTTP API: `create_app(engine)` returns a plain ASGI app without globals, which any server can mount.

Read app (the routes), wire (request bodies), decode, handlers, own_states (of calls on a prompt), answers (response
bodies), encode; then failure, connection and sse (streams), metrics and openapi. run and door are the process of `genlib serve`.
"""

try:
    from .app import create_app
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"genlib.server needs the package {error.name!r}: pip install 'genlib[server]'", name=error.name
    ) from error

__all__ = ["create_app"]
