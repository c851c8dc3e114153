"""The HTTP API: `create_app(engine)` returns a plain ASGI app without globals, which any server can mount.

Read app (the routes), body, decode, wire and fields (request bodies), handlers, own_states (of calls on a prompt),
encode and answers (response bodies); then failure, connection, threads, sse (streams), metrics, openapi and about.
run, door and protocol are the process of `genlib serve`.
"""

try:
    from .app import create_app
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"genlib.server needs the package {error.name!r}: pip install 'genlib[server]'", name=error.name
    ) from error

__all__ = ["create_app"]
