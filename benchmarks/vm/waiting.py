"""Until a server answers: asked again at once when it refuses, so that the time is its own and not the asker's."""

from __future__ import annotations

import http.client
import time

LOOK_EVERY = 0.005


def until_answered(host: str, port: int, path: str, patience: float) -> None:
    """Return when a GET is answered with 200. TimeoutError after so many seconds."""
    ends = time.monotonic() + patience
    while (left := ends - time.monotonic()) > 0:
        connection = http.client.HTTPConnection(host, port, timeout=left)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(LOOK_EVERY)
        finally:
            connection.close()
    raise TimeoutError(f"http://{host}:{port}{path} did not answer within {patience:.0f} s")
