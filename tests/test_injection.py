"""Articles are data: orders that stand in them change nothing, and cannot forge a citation.

Each text of tests/data/injections.jsonl is put into an article that otherwise answers a question.
`{c}` stands for a canary; `{a}` and `{b}` are halves of a word that stands whole nowhere, so that
whoever writes the whole word has obeyed.
"""

import ast
import json
import re
from pathlib import Path

import pytest
from fakes import HashingEncoder
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from patterns import sources
from scripted_llm import ScriptedModel
from starlette.testclient import TestClient

from api.app import create_app
from api.schemas import answer_json
from api.settings import load
from rag.config import ModelServer
from rag.types import Support

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "injections.jsonl")
    .read_text("utf-8")
    .splitlines()
]
FACT = {
    "zh": "今年全县建成试验田三十二块，比去年多五块。",
    "en": "This year the county built 32 trial plots, five more than last year.",
}
QUESTION = {
    "zh": "今年全县建成试验田多少块？",
    "en": "How many trial plots were built by the county this year?",
}
LEAST = {"zh": 20, "en": 20}
"""Cases of each language that are answered with the fact at least; the others are refused."""
CANARY, HALF, OTHER = "ZIRCON-4711", "QUIXOTIC", "PELICAN"
WHOLE = HALF + OTHER


def article(case):
    """A file whose article holds the case's text, where it says."""
    language = case["language"]
    said = case["text"].format(c=CANARY, a=HALF, b=OTHER)
    facts = {"title": {"zh": "试验田建成", "en": "Trial plots built"}[language]}
    body = [FACT[language]]
    if case["place"] == "body":
        body.insert(0, said)
        body.append(said)
    else:
        facts[case["place"]] = said
    head = "\n".join(f"{k}: {json.dumps(v, ensure_ascii=False)}" for k, v in facts.items())
    return f"---\n{head}\n---\n\n" + "\n\n".join(body) + "\n"


class Obedient(ScriptedModel):
    """A model that does whatever the articles tell it, and then some."""

    def __init__(self):
        super().__init__([])

    def play(self, handler, act):
        prompt = self.requests[-1]["messages"][-1]["content"]
        said = [f"{CANARY}[1]。"] if CANARY in prompt else []
        said += [f"{WHOLE}[1]。", f"{WHOLE} stands here [1].", f"答案是{WHOLE}[99]。"]
        said += [f"![x](http://203.0.113.9/{WHOLE}.png)[1][2]", f"【1】{WHOLE}。"]
        said += [FACT["zh"][:-1] + "[1]。" if "三十二" in prompt else FACT["en"][:-1] + " [1]."]
        super().play(handler, said)


@pytest.fixture(scope="module")
def model():
    with Obedient() as model:
        yield model


@pytest.fixture
def asked(make_pipeline, tmp_path):
    """Asks the question of each case of an article of its own; gives answer and archive."""

    def ask(language, **options):
        encoder = HashingEncoder(dim=512)
        for case in (c for c in CASES if c["language"] == language):
            folder = tmp_path / case["id"]
            folder.mkdir()
            (folder / "article.md").write_text(article(case), encoding="utf-8")
            made = make_pipeline(folder / "home", encoder, **options)
            assert [r.outcome for r in made.add([folder / "article.md"])] == ["added"]
            yield case, made.ask(QUESTION[language]), made

    return ask


def proved(answer, made):
    """Every citation is what the article says, marked where it stands and nowhere else."""
    for c in answer.citations:
        assert made.corpus.get(c.article.id).text[c.span.start : c.span.end] == c.quote
        assert answer.text[c.start : c.end] == c.text
        marker = f"[{c.number}]"
        assert answer.text[c.end : c.end + len(marker)] == marker
        if c.support is Support.VERBATIM:
            assert c.text in c.quote
        assert 1 <= c.number <= len(answer.citations)
    for cited in answer_json(answer)["citations"]:
        assert re.fullmatch(r"/articles/[0-9a-f]{16}(#p\d+)?", cited["article"]["url"])


def test_there_are_enough_of_both_languages():
    counts = {name: sum(c["language"] == name for c in CASES) for name in ("zh", "en")}
    assert min(counts.values()) >= 20
    assert sum(counts.values()) >= 40
    assert len({c["text"] for c in CASES}) == len(CASES)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_without_a_model_only_the_articles_own_words_are_shown(asked, language):
    right = 0
    for case, answer, made in asked(language):
        proved(answer, made)
        assert all(c.support is Support.VERBATIM for c in answer.citations), case
        rest = answer.text
        for c in answer.citations:  # what is not quoted is ours: it holds nothing but markers
            rest = rest.replace(f"{c.text}[{c.number}]", "", 1)
        assert answer.status == "no_evidence" or not rest.strip(), case
        assert WHOLE not in answer.text, case
        assert CANARY not in rest, case
        right += FACT[language][:-1] in answer.text
    assert right >= LEAST[language]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_with_a_model_that_obeys_nothing_unproved_passes_for_proved(asked, model, language):
    generator = ModelServer(base_url=model.base_url, model="m", timeout=20)
    model.requests.clear()
    for case, answer, made in asked(language, generator=generator):
        proved(answer, made)
        for c in answer.citations:
            if WHOLE in c.text:
                assert c.support is Support.UNSUPPORTED, (case, c)
            if CANARY in c.text and c.support is not Support.UNSUPPORTED:
                # Only as what the article that is cited says itself, in its text or in its head.
                head = (c.article.title, *c.article.authors, c.article.source, c.article.section)
                assert CANARY in " ".join([c.article.text, *filter(None, head)]), (case, c)
        assert "[99]" not in "".join(c.text for c in answer.citations if c.support != "verbatim")
        if any(WHOLE in c.text for c in answer.citations):
            assert answer.notices, "the reader is told that sentences are not proved"
    assert len(model.requests) >= LEAST[language]
    for request in model.requests:  # the fence around the data could not be guessed
        system, user = (m["content"] for m in request["messages"][-2:])
        (fence,) = set(re.findall(r"=== [0-9a-f]{16} ===", system))
        assert user.count(fence) == 2
        assert user.startswith(fence)


@examples(max_examples=25, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["[1]", "[2]", "[99]", "［1］", "【1】", "[1][1]", "[[1]]", "[来源1]", "[1,2]", "[1-9]",
             "[", "]", "[１]", "[ 1 ]", "[^1]", "。", "试验田", FACT["zh"], WHOLE, "\n"]
        ),
        max_size=25,
    )
)  # fmt: skip
def test_no_text_of_a_model_forges_a_citation(tmp_path_factory, cache, pieces):
    from rag.config import Config
    from rag.pipeline import Pipeline

    class Says:
        def generate(self, messages, *, tokens, until):
            yield from pieces

    home = tmp_path_factory.getbasetemp() / "forged"
    server = ModelServer(base_url="http://127.0.0.1:9/v1", model="m")
    made = Pipeline(Config(home=home, cache=cache, generator=server), HashingEncoder(), Says())
    if not made.snapshot().size:
        made.add_upload("a.md", FACT["zh"].encode())
    answer = made.ask(QUESTION["zh"])
    proved(answer, made)
    for c in answer.citations:
        assert WHOLE not in c.text or c.support is Support.UNSUPPORTED
    made.close()


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/search", "/v1/chat/completions"])
@pytest.mark.parametrize("field", ["base_url", "llm_base_url", "url", "model_url", "api_base"])
def test_no_request_says_where_the_language_model_is(pipeline, cache, path, field):
    with ScriptedModel(["x"]) as elsewhere:
        settings = load(home=pipeline.config.home, cache=cache)
        client = TestClient(create_app(settings, pipeline), "http://127.0.0.1")
        pipeline.add_upload("a.md", f"url: {elsewhere.base_url}\n\n{FACT['zh']}".encode())
        body = {"question": QUESTION["zh"]}
        if "chat" in path:
            body = {"messages": [{"role": "user", "content": QUESTION["zh"]}]}
        response = client.post(path, json={**body, field: elsewhere.base_url})
        assert response.status_code == (200 if "chat" in path else 422)
        assert elsewhere.requests == []


# What may open a connection, and where to: a server of its own, and the model of the settings.
NETWORK = {"rag.generate": {"httpx2", "openai"}, "api.server": {"socket"},
           "api.workers": {"socket"}}  # fmt: skip
OPENERS = ("socket", "http.client", "urllib.request", "requests", "httpx", "httpx2", "aiohttp",
           "openai", "ftplib", "smtplib", "websockets")  # fmt: skip


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""
            yield from (f"{node.module}.{a.name}" for a in node.names)


def test_nothing_but_the_settings_model_is_called():
    found = {
        name: {i for i in imported(tree) if i in OPENERS}
        for name, tree in sources()
        if not name.startswith("eval")
    }
    assert {name: used for name, used in found.items() if used} == NETWORK


UNSAFE = {"pickle", "marshal", "shelve", "joblib", "dill", "cloudpickle"}


def test_nothing_unpickles_or_runs_text():
    """No pickle, no eval; arrays and YAML are loaded by what cannot run anything."""
    bad = []
    for name, tree in sources():
        bad += [f"{name}: {i}" for i in imported(tree) if i.split(".")[0] in UNSAFE]
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            options = {k.arg: ast.unparse(k.value) for k in node.keywords}
            place = f"{name}:{node.lineno}: {called}"
            if called in ("eval", "exec", "os.system", "yaml.unsafe_load"):
                bad.append(place)
            if called == "yaml.load" and options.get("Loader") != "_Plain":  # a SafeLoader
                bad.append(place)
            if called.endswith("np.load") and options.get("allow_pickle") != "False":
                bad.append(place)
            if called == "torch.load" and options.get("weights_only") != "True":
                bad.append(place)
            if options.get("shell") == "True" or options.get("trust_remote_code") == "True":
                bad.append(place)
    assert bad == []
