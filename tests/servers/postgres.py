"""A real PostgreSQL on loopback for tests: started in a temporary folder, with a new empty database for whoever asks."""

import itertools
import secrets
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg2

from tests.servers.process import Server, plain_user

# Nothing here must outlive the test, so nothing waits for the disk.
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "60", "shared_buffers": "64MB"}


def programs() -> Path | None:
    """The folder of the newest installed PostgreSQL's programs; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name))
    return found[-1].parent if found else None


def available() -> bool:
    return programs() is not None


class Postgres(Server):
    """`with Postgres() as server: server.fresh()` is the URL of an empty database; `.url` that of the first one."""

    def __init__(self) -> None:
        super().__init__(user=plain_user("postgres"))
        self.password = secrets.token_hex(16)
        self.names = (f"t{number}" for number in itertools.count())

    def start(self) -> None:
        self.initialize()
        super().start()
        self.url = self.fresh()

    def initialize(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)  # the folder itself is open to the server's user only
        command = [str(programs() / "initdb"), "-D", str(self.folder / "data"), "-U", "mailhelper", "-A", "scram-sha-256"]  # type: ignore[operator]
        command += ["--pwfile", str(secret), "-E", "UTF8", "--no-locale", "--no-sync"]
        done = subprocess.run(self.as_user(command), cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"initdb: {done.stdout}{done.stderr}")

    def command(self) -> list[str]:
        settings = SETTINGS | {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": ""}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(programs() / "postgres"), "-D", str(self.folder / "data"), *options]  # type: ignore[operator]

    def answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def connect(self, database: str = "postgres") -> "psycopg2.extensions.connection":
        return psycopg2.connect(self.address(database), connect_timeout=2)

    def address(self, database: str) -> str:
        return f"postgresql://mailhelper:{self.password}@127.0.0.1:{self.port}/{database}"

    def save(self) -> None:
        """Writes all it holds into its folder, the rows also as text (its own files pack them), for tests that look what is there."""
        with closing(psycopg2.connect(self.url)) as connection, (self.folder / "rows").open("w") as out:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("CHECKPOINT")
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (name,) in cursor.fetchall():
                cursor.copy_expert(f'COPY "{name}" TO STDOUT', out)

    def fresh(self) -> str:
        """The URL of a new, empty database."""
        name = next(self.names)
        with closing(self.connect()) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.address(name)


def postgres_server() -> Postgres:
    """For fixtures: `with postgres_server() as server: …`."""
    return Postgres()
