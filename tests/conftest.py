import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # fakes.py and other helpers beside the tests

from fakes import HashingEncoder

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache folder of the whole run: what is made once for all archives is made once."""
    return tmp_path_factory.mktemp("cache")


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
def shared_data():
    """The real data beside the checkout, where it is there."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data is not beside this checkout")
    return folder
