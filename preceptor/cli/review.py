"""`preceptor review`: the review app by itself."""

from __future__ import annotations

import click

from preceptor.cli._common import settings, workspace
from preceptor.errors import UsageError

PORT = 8400


@click.command()
@click.option("--port", default=PORT, show_default=True)
def review(port: int) -> None:
    """Serve the review app (blinded comparisons, releases, signatures) on review.host; Ctrl-C stops it."""
    import uvicorn

    from preceptor.cli.ui import is_taken
    from preceptor.review.app import application, house_of

    if is_taken(port):
        raise UsageError(f"Port {port} is in use; --port takes another.")
    given = settings()
    house = house_of(workspace(), given)
    scheme = "https" if house.secure else "http"
    click.echo(f"Review:   {scheme}://{given.review.host}:{port}", err=True)
    uvicorn.run(
        application(house),
        host=given.review.host,
        port=port,
        log_level="warning",
        access_log=False,  # addresses name cases
        server_header=False,
        ssl_certfile=given.review.tls_certificate,
        ssl_keyfile=given.review.tls_key,
    )
