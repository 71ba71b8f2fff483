"""The real servers that the tests start: each `fresh()` is empty, and nothing is left when they stop."""

from contextlib import closing

import psycopg2
import pytest

from tests.servers import postgres, redis
from tests.servers.process import listens

pytestmark = pytest.mark.servers


@pytest.mark.skipif(not postgres.available(), reason="PostgreSQL is not installed")
def test_postgres_gives_each_caller_an_empty_database_and_is_gone_afterwards():
    with postgres.postgres_server() as server:
        with closing(psycopg2.connect(server.fresh())) as first, first:
            first.cursor().execute("CREATE TABLE seen (id int)")
        with closing(psycopg2.connect(server.fresh())) as second, second.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            assert cursor.fetchone() == (0,)
    assert not listens(server.port)
    assert not server.folder.exists()


@pytest.mark.skipif(not redis.available(), reason="Redis is not installed")
def test_redis_gives_each_caller_an_empty_database_and_is_gone_afterwards():
    with redis.redis_server() as server:
        number = server.fresh().rsplit("/", 1)[1]
        assert server.ask(f"SELECT {number}", "SET key value") == b"+OK\r\n"
        assert server.ask(f"SELECT {server.fresh().rsplit('/', 1)[1]}", "DBSIZE") == b":0\r\n"
    assert not listens(server.port)
    assert not server.folder.exists()
