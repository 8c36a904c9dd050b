import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))  # fakes.py and other helpers beside the tests

from fakes import HashingEncoder

ROOT = Path(__file__).resolve().parent.parent
MEMORY = Path("/dev/shm")  # noqa: S108 each run makes a folder of its own in it
LONG = (
    "test_browser_served.py test_browser.py test_bench.py test_encode.py test_spread.py "
    "test_hardships.py test_llm_server.py test_workers.py test_postgres_replica.py "
    "test_postgres_served.py test_torture_soak.py test_torture.py test_readers_scans.py"
).split()
"""Files that take long, the longest first: begun last, one of them would keep all waiting."""

# On a busy machine any example may take long.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_configure() -> None:
    """Temporary folders in memory, where there is room: a commit's fsyncs take no time there."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell's background: what the tests start would ignore Ctrl-C like this process.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    if shutil.disk_usage(MEMORY).free > 4 << 30:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first: `make test` keeps this order."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONG)))


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache folder of the whole run: what is made once for all archives is made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def models():
    """The cache folder of this user, with the bundled model: built once on a machine."""
    from api.settings import load

    return load().cache


@pytest.fixture
def make_pipeline(tmp_path, cache):
    """Makes pipelines over one home, with an encoder that needs no model."""
    from rag.config import Config
    from rag.pipeline import Pipeline

    made = []

    def make(home=None, encoder=None, **settings):
        config = Config(home=home or tmp_path / "home", cache=cache, **settings)
        pipeline = Pipeline(config, encoder or HashingEncoder())
        made.append(pipeline)
        return pipeline

    yield make
    for pipeline in made:
        pipeline.close()


@pytest.fixture
def pipeline(make_pipeline):
    return make_pipeline()


@pytest.fixture
def make_client(pipeline, cache):
    """Makes clients of the application over the pipeline, with settings as they are given."""
    from starlette.testclient import TestClient

    from api.app import create_app
    from api.settings import load

    def make(**options):
        settings = load(home=pipeline.config.home, cache=cache, **options)
        app = create_app(settings, pipeline)
        return TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)

    return make


@pytest.fixture
def client(make_client):
    return make_client()


@pytest.fixture
def shared_data():
    """The real data beside the checkout, where it is there."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data is not beside this checkout")
    return folder
