"""What the tests share: one Spark session, an `engine` fixture for both engines, and building a project's tables."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from s3_service import serve

from tenure.engines.base import Engine, EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.storage.s3 import S3Location
from tenure.storage.settings import S3Settings

DATA = Path(os.environ.get("TENURE_TEST_DATA", Path(__file__).parents[1].parent / "shared" / "data"))

#: The bank of twelve customers whose answers were worked out by hand.
TWELVE = Path(__file__).parent / "worlds" / "twelve_customers"

#: Whether the matrices of kills, damages and engines run whole, as by `make test-thorough`.
THOROUGH = bool(os.environ.get("TENURE_THOROUGH"))

# What else the machine does must not fail a property: no example has a deadline, and none is drawn too slowly.
settings.register_profile("any_load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any_load")

#: Spark plans and compiles a statement for seconds that runs over forty rows for milliseconds; compiled less, the same
#: tests take half the time. `tenure verify --engines` in test_cli.py starts Spark as a user does.
SMALL_WORLDS = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.shuffle.partitions": "2",
    # A plan is printed for a page that nobody opens.
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.maxPlanStringLength": "1000",
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC",
}

EngineFactory = Callable[[], Engine]
Build = Callable[..., Work]


#: Files that take longest: they run first, so that of several workers none is left alone with one at the end.
LONGEST = (
    *(
        "stages/test_run_killed.py",
        "store/test_lake_on_s3.py",
        "faults/test_repair.py",
        "feature_store/test_build_killed.py",
    ),
    *("faults/test_damage.py", "feature_store/test_historical.py", "feature_store/test_routes.py"),
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spark's tests run first, then the longest files, then those with slow tests."""
    for item in items:
        mark = item.get_closest_marker("thorough_on_spark")
        if mark and is_of_spark(item.nodeid) and not set(mark.args) & set(parameters_of(item)):
            item.add_marker("thorough")
    longest = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def place(item: pytest.Item) -> tuple[int, int]:
        if is_of_spark(item.nodeid):
            return 0, 0
        return (1, longest[item.path]) if item.path in longest else (2, item.path not in slow)

    users = [item for item in items if item.get_closest_marker("spark") or "spark_session" in item.fixturenames]
    unnamed = [item.nodeid for item in users if not is_of_spark(item.nodeid)]
    assert not unnamed, f"these use Spark, and their names do not say so: {unnamed}"
    items.sort(key=place)


def is_of_spark(nodeid: str) -> bool:
    """Whether a test uses Spark: its name says so, in the file's, the function's or the parameter's."""
    return "spark" in nodeid.lower()


def parameters_of(item: pytest.Item) -> list[str]:
    """The names of a test's parameters, as its id has them."""
    return list(item.callspec._idlist) if isinstance(item, pytest.Function) and hasattr(item, "callspec") else []


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker whole files, but all of Spark's tests to one: a session starts cold, and takes two gigabytes."""
    from xdist.scheduler import LoadFileScheduling

    class OneSession(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "spark" if is_of_spark(nodeid) else str(super()._split_scope(nodeid))

    return OneSession(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data beside the repository; tests that need it skip where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"no real data in {DATA}; set TENURE_TEST_DATA")
    return DATA


@pytest.fixture(scope="session")
def spark_session() -> Iterator[Any]:
    """One local Spark session for the whole run."""
    pytest.importorskip("pyspark")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        pytest.skip("no Java on this machine: install openjdk-17-jre-headless to run the Spark tests")
    from tenure.engines.spark import SparkEngine

    engine = SparkEngine(EngineSettings(name="spark", memory="2GB", threads=2, options=SMALL_WORLDS))
    yield engine._session
    engine.close()


@pytest.fixture(scope="session")
def twelve_on_spark(spark_session: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The twelve customers' folder with staging to features built on Spark, once for all tests: each copies it."""
    from tenure.engines.spark import SparkEngine

    folder = tmp_path_factory.mktemp("built") / "twelve_customers"
    shutil.copytree(TWELVE, folder)
    shutil.copy(folder / "churn_definitions" / "balance_fell.py", folder / "churn.py")
    with Work.open(folder, engine="spark", overrides=quick("spark")) as work:
        work.use_engine(SparkEngine(EngineSettings(name="spark"), spark_session))
        list(run(work, stages_between("staging", "features")))
    return folder


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn: a test that takes it runs on both."""
    made = make_engine(request.param, request)
    yield made
    made.close()


def make_engine(name: str, request: pytest.FixtureRequest) -> Engine:
    """Return a fresh engine; Spark ones share the session."""
    if name == "duckdb":
        return DuckDBEngine(EngineSettings(memory="2GB", threads=2))
    from tenure.engines.spark import SparkEngine

    return SparkEngine(EngineSettings(name="spark"), request.getfixturevalue("spark_session"))


def quick(engine: str) -> dict[str, dict[str, Any]]:
    """Return settings of a test: on Spark the proof before a commit takes minutes; test_proof.py runs it there."""
    return {"verify": {"customers": 0}} if engine == "spark" else {}


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return a function that builds a project's stages into a lake under tmp_path and returns its Work."""

    def built(
        folder: Path,
        engine: Engine,
        *,
        data: Path | None = None,
        first: str = "staging",
        last: str = "training_set",
        overrides: dict[str, dict[str, Any]] | None = None,
    ) -> Work:
        put_over = {"lake": {"path": str(tmp_path / f"lake_{engine.dialect}")}, **quick(engine.dialect)}
        put_over |= overrides or {}
        work = Work.open(folder, data=data, engine=engine.dialect, overrides=put_over)
        work.use_engine(engine)
        for _ in run(work, stages_between(first, last)):
            pass
        return work

    return built


@pytest.fixture(scope="session")
def s3_settings() -> Iterator[S3Settings]:
    """How tests reach S3: a service of their own over HTTP, or the endpoint that TENURE_TEST_S3 names."""
    given = os.environ.get("TENURE_TEST_S3")
    if given:
        yield S3Settings(endpoint=given, path_style=True)
        return
    spawned = get_context("spawn")
    address = spawned.Queue()
    process = spawned.Process(target=serve, args=(address,), daemon=True)
    process.start()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "canary-id")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
        yield S3Settings(endpoint=address.get(timeout=60), region="us-east-1", path_style=True)
    process.terminate()
    process.join()


@pytest.fixture(scope="session")
def bucket(s3_settings: S3Settings) -> str:
    """A bucket: one of its own, or that which TENURE_TEST_S3_BUCKET names."""
    given = os.environ.get("TENURE_TEST_S3_BUCKET")
    if given:
        return given
    from tenure.storage.credentials import s3_client

    s3_client(s3_settings).create_bucket(Bucket="first-bank")
    return "first-bank"


@pytest.fixture
def prefix(bucket: str, s3_settings: S3Settings) -> S3Location:
    """A prefix of S3 that nothing lies below."""
    return S3Location(bucket, f"tests/{uuid4().hex}", s3_settings)
