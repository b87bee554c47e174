"""The application tier: each request writes a row to the database, counts the rows, and says who did it.

GET /         {"pod": this pod, "db": the database's pod, "count": rows so far}; 503 with the reason when the database fails
GET /healthz  200 while the process serves; GET /ready 200 when the database answers

Settings come from the environment: DB_HOST, DB_NAME, DB_USER, DB_PASSWORD, POD_NAME.
"""

import json
import os
import queue
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2

CONNECTIONS = queue.LifoQueue()  # to the database, for requests to take in turn; None is one that is not open
for _ in range(6):
    CONNECTIONS.put(None)


def connect():
    """A new connection to the database."""
    made = psycopg2.connect(
        host=os.environ["DB_HOST"],
        dbname=os.environ["DB_NAME"],
        user=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
        connect_timeout=10,
    )
    made.autocommit = True
    return made


def query(statement, *values):
    """The first row of the answer. A connection that broke is opened once more; an error after that is the caller's."""
    connection = CONNECTIONS.get()
    try:
        for attempt in (0, 1):
            try:
                connection = connection or connect()
                with connection.cursor() as cursor:
                    cursor.execute(statement, values)
                    return cursor.fetchone()
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                connection = None
                if attempt:
                    raise
    finally:
        CONNECTIONS.put(connection)


def visit():
    """Write one row and read the count, in one statement each."""
    pod = os.environ.get("POD_NAME", "?")
    query("INSERT INTO visits (pod) VALUES (%s) RETURNING id", pod)
    count, database = query("SELECT count(*), current_setting('naru.pod_name', true) FROM visits")
    return {"pod": pod, "db": database, "count": count}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        try:
            if self.path == "/healthz":
                body = {"ok": True}
            elif self.path == "/ready":
                body = {"ready": query("SELECT 1") == (1,)}
            else:
                body = visit()
            code = 200
        except psycopg2.Error as error:
            code, body = 503, {"error": str(error).strip()}
        data = json.dumps(body).encode() + b"\n"
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format, *args):
        """Only what goes wrong is worth a line; probes alone would fill the log."""


class Server(ThreadingHTTPServer):
    daemon_threads = False  # requests under way are answered before the process ends
    request_queue_size = 1024  # who comes while it is starved of CPU waits, and is not dropped


def main():
    server = Server(("", 8080), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print("serving on 8080", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
