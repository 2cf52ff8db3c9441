"""
Measures time and memory of archiving and restoring on PostgreSQL, by the number of rows.

    DATABASE_URL=postgresql://postgres@127.0.0.1:5432/any python bench/archive.py

Uses its own database on that server. Each run is a separate process; its peak memory comes from the
operating system. The last archive run is killed several times before it completes. Then all rows
are restored, and the whole table is compared with its state before.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "spot_optimizer_bench_archive"
BEGUN = b"begun\n"
FILL = """
INSERT INTO lab_experimentlog (
    id, evaluation_id, owner_id, instance_id, pipeline_mode, decision, numbers, inputs_hash,
    inputs, milliseconds, created_at{more}
)
SELECT gen_random_uuid(), gen_random_uuid(), %s, 'i-' || lpad(to_hex(n %% 50), 17, '0'),
    'CLUSTER_FULL', 'SWITCH', jsonb_build_object('risk', random(), 'pool', n), md5(n::text),
    convert_to((SELECT string_agg(md5(n::text || k::text), '') FROM generate_series(1, %s) k),
        'UTF8'),
    '{{"risk": 0.5}}', '2026-01-01'::timestamptz + n * interval '1 second'{values}
FROM generate_series(1, %s) n
"""
DIGEST = "SELECT count(*), md5(string_agg(md5({columns}), '' ORDER BY id)) FROM lab_experimentlog"


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    options = _options()
    if options.work:
        _work(options.work)
        return
    _create_database()
    table = Table("rows", "inputs", "", "seconds", "peak memory", "above start", "files")
    for number in options.rows:
        for row in _measured(number, options.inputs, kills=options.kills):
            table.add_row(*row)
    Console().print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else "")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--inputs", type=int, default=4096, help="bytes of inputs per row")
    parser.add_argument("--kills", type=int, default=5, help="for the last pair of runs")
    parser.add_argument("--work", choices=["archive", "restore"], help=argparse.SUPPRESS)
    return parser.parse_args()


def _measured(number: int, inputs: int, *, kills: int) -> list[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VAR_DIR"] = folder
        rows = []
        for attempts in (0, kills):
            _fill(number, inputs)
            before = _digest()
            for attempt in range(attempts):
                _run_and_kill(after=0.5 + 1.3 * attempt)
            archived = _run("archive")
            _check(_digest()[0] == 0, "rows are left")
            restored = _run("restore")
            _check(_digest() == before, "rows were lost, duplicated or changed")
            _check(archived["archived"] == number, "a row is in two files or in no file")
            name = f"archive, after {attempts} SIGKILLs" if attempts else "archive"
            rows += [
                _row(number, inputs, name, archived),
                _row(number, inputs, "restore", restored),
            ]
            _truncate()
        return rows


def _row(number: int, inputs: int, name: str, result: dict[str, Any]) -> list[str]:
    peak, start = result["peak"] / 1024, result["start"] / 1024
    return [
        f"{number:,}",
        f"{inputs:,} B",
        name,
        f"{result['seconds']:.1f}",
        f"{peak:.0f} MiB",
        f"{peak - start:.0f} MiB",
        str(result["files"]),
    ]


def _start(work: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - this script
        [sys.executable, __file__, "--work", work], stdout=subprocess.PIPE, env=os.environ
    )


def _run(work: str) -> dict[str, Any]:
    out, _ = _start(work).communicate()
    result: dict[str, Any] = json.loads(out.removeprefix(BEGUN))
    return result


def _run_and_kill(*, after: float) -> None:
    with _start("archive") as process:
        _check(
            process.stdout is not None and process.stdout.readline() == BEGUN,
            "the run did not start",
        )
        time.sleep(after)
        process.kill()


def _check(condition: bool, failure: str) -> None:  # noqa: FBT001
    if not condition:
        sys.exit(f"FAILED: {failure}")


def _work(work: str) -> None:
    """Archive or restore; runs in the measured process."""
    _set_up()
    from lab.archive import jobs
    from lab.archive.restore import restore
    from lab.models import Archive
    from spot_optimizer.testing import NOON

    sys.stdout.write(BEGUN.decode())
    sys.stdout.flush()
    start, began = _memory(), time.monotonic()
    finished = Archive.objects.filter(state="kept")
    if work == "archive":
        jobs.cleanup_old_experiment_logs(now=NOON)
    else:
        for name in finished.values_list("name", flat=True):
            restore(name, now=NOON)
    result = {
        "seconds": time.monotonic() - began,
        "start": start,
        "peak": _memory(),
        "files": finished.count(),
        "archived": sum(finished.values_list("rows", flat=True)),
    }
    sys.stdout.write(json.dumps(result))


def _memory() -> int:
    """Return the peak memory of this process. [KiB]"""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _set_up() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "spot_optimizer.tests.settings"
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()


def _create_database() -> None:
    import psycopg

    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DATABASE}")
    os.environ["DATABASE_URL"] = f"{server}/{DATABASE}"
    _set_up()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def _fill(number: int, inputs: int) -> None:
    from django.db import connection

    from accounts.testing import a_user
    from lab.models import ExperimentLog

    listed = FILL.partition("(")[2].partition("{more}")[0]
    # Fields that FILL does not list, if they are required: their defaults.
    others = {
        field.column: field.get_db_prep_save(field.get_default(), connection)
        for field in ExperimentLog._meta.concrete_fields
        if not field.null and str(field.column) not in listed
    }
    more, values = "".join(f", {name}" for name in others), ", %s" * len(others)
    with connection.cursor() as cursor:
        cursor.execute(
            FILL.format(more=more, values=values),
            [a_user().pk, inputs // 32, *others.values(), number],
        )
        cursor.execute("ANALYZE lab_experimentlog")


def _digest() -> tuple[Any, ...]:
    from django.db import connection

    from lab.archive.parquet import columns

    text = " || '|' || ".join(f"coalesce({field.column}::text, '-')" for field in columns())
    with connection.cursor() as cursor:
        cursor.execute(DIGEST.format(columns=text))
        return tuple(cursor.fetchone())


def _truncate() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE lab_experimentlog, lab_archive")


if __name__ == "__main__":
    main()
