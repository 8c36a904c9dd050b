import pytest

from rag.examples import examples
from rag.types import Article

FILES = {
    "lab.md": "---\ntitle: 四大实验室加快布局\nauthors: 邹霞、吴希\ndate: 2024-05-20\n"
    "source: 江岸日报\nsection: 科技\n---\n\n重庆加快布局建设四大实验室，年内开工。\n",
    "bridge.md": "---\ntitle: 跨江大桥合龙\nauthors: 邹霞\ndate: 2023-11\n"
    "source: 江岸晚报\n---\n\n跨江大桥昨日合龙，桥面宽三十二米。\n",
    "lifts.md": "---\ntitle: Lifts for old houses\nauthors: Hannah Whitfield\ndate: 2024-02-01\n"
    "source: 江岸日报\n---\n\nResidents of the old houses share the cost of six new lifts.\n",
}
PAGE = "重庆市加快布局建设金凤、明月湖、广阳湾、嘉陵江四大实验室，并推动大科学装置落地。"


@pytest.fixture
def filled(client):
    for name, text in FILES.items():
        added = client.post("/v1/articles", json={"name": name, "text": text}).json()
        assert added["files"][0]["outcome"] == "added"
    return client


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("author=邹霞", ["四大实验室加快布局", "跨江大桥合龙"]),
        ("author=吴希&author=Hannah Whitfield", ["四大实验室加快布局", "Lifts for old houses"]),
        ("source=江岸日报&language=zh", ["四大实验室加快布局"]),
        ("section=科技", ["四大实验室加快布局"]),
        ("language=en", ["Lifts for old houses"]),
        ("date_from=2024-02-01", ["四大实验室加快布局", "Lifts for old houses"]),
        ("date_to=2024-02-01", ["Lifts for old houses", "跨江大桥合龙"]),
        ("date_from=2024&date_to=2024-02", ["Lifts for old houses"]),
        ("date_to=2023", ["跨江大桥合龙"]),
        ("q=大桥&author=吴希", []),
    ],
)
def test_the_list_is_filtered(filled, query, titles):
    found = filled.get(f"/v1/articles?{query}").json()
    assert [a["title"] for a in found["articles"]] == titles
    assert found["total"] == len(titles)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("language=fr", 422),
        ("date_from=last year", 422),
        ("date_from=2025&date_to=2024", 400),
        ("author=" + "字" * 501, 422),
        ("&".join(["source=a"] * 51), 422),
    ],
)
def test_wrong_filters_are_refused(filled, query, status):
    response = filled.get(f"/v1/articles?{query}")
    assert response.status_code == status
    assert response.json()["error"]["message"]


def test_facets_count_articles_most_first(filled):
    facets = filled.get("/v1/facets").json()
    assert facets["authors"][0] == {"value": "邹霞", "count": 2}
    assert {a["value"] for a in facets["authors"]} == {"邹霞", "吴希", "Hannah Whitfield"}
    assert facets["sources"] == [
        {"value": "江岸日报", "count": 2},
        {"value": "江岸晚报", "count": 1},
    ]
    assert facets["sections"] == [{"value": "科技", "count": 1}]
    assert facets["languages"] == [{"value": "zh", "count": 2}, {"value": "en", "count": 1}]
    assert (facets["from"], facets["to"]) == ("2023-11", "2024-05-20")
    assert len(filled.get("/v1/facets?limit=1").json()["authors"]) == 1


def test_facets_of_an_empty_archive(client):
    facets = client.get("/v1/facets").json()
    assert facets == {
        "authors": [],
        "sources": [],
        "sections": [],
        "languages": [],
        "from": None,
        "to": None,
    }


def test_the_state_of_the_index_is_told(filled):
    ready = filled.get("/readyz").json()
    assert (ready["articles"], ready["passages"]) == (3, 3)
    assert ready["generation"] >= 3
    assert ready["model"]


def test_a_preview_shows_joints_and_stores_nothing(client):
    from pathlib import Path

    page = Path(__file__).parent.parent / "articles" / "page-a.txt"
    files = [("files", ("page-a.txt", page.read_bytes())), ("files", ("bad.txt", b"\x00\x01" * 99))]
    told = client.post("/v1/articles", files=files, data={"dry_run": "true"}).json()["files"]
    assert [f["outcome"] for f in told] == ["preview", "failed"]
    assert told[1]["articles"] == []
    assert told[1]["reason"]
    assert len(told[0]["articles"]) > 1
    joints = [j for a in told[0]["articles"] for j in a["joints"]]
    assert joints
    assert client.get("/v1/articles").json()["total"] == 0
    stored = client.post("/v1/articles?dry_run=false", files=files[:1]).json()["files"][0]
    assert stored["outcome"] == "added"
    read = [client.get(f"/v1/articles/{i}").json() for i in stored["articles"]]
    for before, after in zip(told[0]["articles"], read, strict=True):
        for field in ("title", "authors", "affiliations", "paragraphs", "section", "language"):
            assert before[field] == after[field]
        bodies = [b for b in after["blocks"] if b["kind"] == "body"]
        for joint in before["joints"]:
            block = bodies[joint["paragraph"]]
            text = after["text"][block["start"] : block["end"]]
            assert joint["before"] + joint["after"] in text
        assert len(before["joints"]) == sum(len(b["joints"]) for b in bodies)
        unplaced = [b for b in after["blocks"] if b["kind"] == "unplaced"]
        assert before["unplaced"] == len(unplaced)


@pytest.mark.parametrize("how", ["query", "json"])
def test_a_preview_can_be_asked_for_in_the_address_or_the_body(client, how):
    body = {"name": "a.md", "text": FILES["lab.md"]}
    if how == "query":
        response = client.post("/v1/articles?dry_run=true", json=body)
    else:
        response = client.post("/v1/articles", json={**body, "dry_run": True})
    report = response.json()["files"][0]
    assert (report["outcome"], report["passages"]) == ("preview", 0)
    article = report["articles"][0]
    assert (article["title"], article["authors"]) == ("四大实验室加快布局", ["邹霞", "吴希"])
    assert (article["paragraphs"], article["joints"], article["unplaced"]) == (1, [], 0)
    assert client.get("/v1/articles").json()["total"] == 0


def test_a_dry_run_that_cannot_be_read_is_refused(client):
    files = [("files", ("a.txt", PAGE.encode()))]
    response = client.post("/v1/articles", files=files, data={"dry_run": "perhaps"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_request")
    assert client.get("/v1/articles").json()["total"] == 0


@pytest.mark.parametrize("form", [True, False])
def test_a_deleted_article_comes_back_only_when_asked_for(filled, form):
    (gone,) = filled.get("/v1/articles?q=合龙").json()["articles"]
    filled.delete(f"/v1/articles/{gone['id']}")

    def send(**fields):
        if form:
            files = [("files", ("bridge.md", FILES["bridge.md"].encode()))]
            told = {name: str(value).lower() for name, value in fields.items()}
            response = filled.post("/v1/articles", files=files, data=told)
        else:
            body = {"name": "bridge.md", "text": FILES["bridge.md"], **fields}
            response = filled.post("/v1/articles", json=body)
        return response.json()["files"][0]

    assert send()["articles"] == []
    assert send(restore=False)["articles"] == []
    assert send(restore=True)["articles"] == [gone["id"]]
    assert filled.get("/v1/articles?q=合龙").json()["total"] == 1


def article(title, language="zh", authors=(), affiliations=()):
    return Article("0" * 16, "", (), title, authors, affiliations, language=language)


def test_examples_are_in_their_own_language(filled):
    zh = filled.get("/v1/examples?language=zh").json()["questions"]
    en = filled.get("/v1/examples?language=en").json()["questions"]
    assert zh == ["《四大实验室加快布局》提出了哪些举措？", "《跨江大桥合龙》的作者是谁？"]
    assert en == ["Who wrote “Lifts for old houses”?"]


def test_examples_fall_back_to_another_language():
    assert examples([article("跨江大桥合龙", authors=("甲",))], "en") == [
        "Who wrote “跨江大桥合龙”?"
    ]


@pytest.mark.parametrize(
    "title", ["“双城”记", "读《江岸》有感", "The 'old' houses", "「灯会」", "长" * 33, None]
)
def test_titles_that_make_no_good_question_are_left_out(title):
    language = "en" if title and title.isascii() else "zh"
    assert examples([article(title, language), article("Fine words", "zh")], "zh") == [
        "《Fine words》讲了什么？"
    ]


@pytest.mark.parametrize(
    ("found", "question"),
    [
        (article("加快推进老旧小区改造"), "《加快推进老旧小区改造》提出了哪些举措？"),
        (article("江边的灯会", authors=("甲",)), "《江边的灯会》的作者是谁？"),
        (article("江边的灯会"), "《江边的灯会》讲了什么？"),
    ],
)
def test_a_question_suits_its_title(found, question):
    assert examples([found], "zh") == [question]


def test_plain_titles_come_before_composed_ones():
    found = [article("灯会：江边的夜"), article("大桥合龙了")]
    assert examples(found, "zh") == ["《大桥合龙了》讲了什么？", "《灯会：江边的夜》讲了什么？"]


def test_forms_take_turns():
    many = [article(f"第{n}号灯会", authors=("甲",), affiliations=("某院",)) for n in range(4)]
    assert examples(many, "zh") == [
        "《第0号灯会》的作者是谁？",
        "《第1号灯会》讲了什么？",
        "《第2号灯会》的作者在哪里工作？",
        "《第3号灯会》的作者是谁？",
    ]
