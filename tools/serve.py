"""Show the built book on this machine only."""

from __future__ import annotations

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from tools.project import HTML


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve files without a line on the terminal for each of them."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its given name)
        """Say nothing: a page has dozens of files."""


class Server(ThreadingHTTPServer):
    """A server that is not disturbed by a browser that went to another page."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Report what went wrong, unless it is only that nobody listens any more."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def server(port: int) -> Server:
    """Return a server of the built book on `port` (0: any free one), not yet running."""
    handler = partial(QuietHandler, directory=str(HTML))
    return Server(("127.0.0.1", port), handler)


def main(arguments: list[str]) -> None:
    """Serve until interrupted."""
    try:
        port = int(arguments[0])
        httpd = server(port)
    except (ValueError, OverflowError):
        sys.exit(f"PORT={arguments[0]} is not a port number. Remedy: make serve PORT=8001")
    except OSError as error:
        sys.exit(f"Port {port} cannot be used ({error.strerror}). Remedy: make serve PORT=8001")
    print(f"The book is at http://localhost:{port}/  (stop with Ctrl-C)", flush=True)
    try:
        httpd.serve_forever()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
