"""An S3 service of the tests' own, in a process of its own: moto's, over HTTP."""

import logging
import threading
import time
from collections.abc import Callable
from multiprocessing.queues import Queue
from typing import Any


def serve(address: "Queue[str]") -> None:
    """Serve S3 until the process is ended; put the URL into `address` once it answers."""
    from moto import backends
    from moto.s3.responses import S3Response
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # Moto looks for its own modules on disk at every request: a third of a request's time.
    modules = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    S3Response.put_object = one_at_a_time(S3Response.put_object)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address.put(f"http://{host}:{port}")
    while True:
        time.sleep(3600)


def one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    """Call `method` under a lock.

    S3 decides a condition (`If-None-Match`, `If-Match`) and writes in one step. Moto looks, and then writes: of two
    requests at once both may find the object absent, and both succeed.
    """
    lock = threading.Lock()

    def locked(*arguments: Any) -> Any:
        with lock:
            return method(*arguments)

    return locked
