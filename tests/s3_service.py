"""An S3 service of the tests' own, in a process of its own: moto's, over HTTP."""

import logging
import time
from multiprocessing.queues import Queue


def serve(address: "Queue[str]") -> None:
    """Serve S3 until the process is ended; put the URL into `address` once it answers."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address.put(f"http://{host}:{port}")
    while True:
        time.sleep(3600)
