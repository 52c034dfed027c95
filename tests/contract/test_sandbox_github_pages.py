"""The pages: a person without any account is the reviewer, with forms alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from pilotage.sandbox.github import PullRequest
from pilotage.sandbox.github.markdown import render
from tests.contract.github_world import World

BODY = """> **Not ready**

### What changes
| service | after |
|---|---|
| api | **v1.1.0** |

- [x] Staging healthy <!-- item:staging -->
- [ ] Feature works as expected <!-- item:feature -->

```
- [ ] no box in here
```

<details><summary>Folded</summary>

```diff
-old
+new
```
</details>

<script>alert(1)</script><img src=x onerror=alert(1)>[click](javascript:alert(1))
"""


@pytest.fixture
def pull(world: World) -> PullRequest:
    world.github.commit(
        world.repo, "topic", {"api/production/config.yaml": "new: 1\n"}, "promote", "pilotage-bot"
    )
    return world.github.open_pull_request_as("pilotage-bot", world.repo, "topic", "Promote", BODY)


@pytest.fixture
def browser(world: World) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=world.github.url, follow_redirects=True) as client:
        yield client


def be(browser: httpx.Client, login: str) -> None:
    assert browser.post("/_sandbox/you", data={"login": login}).status_code == 200


def act(browser: httpx.Client, action: str, **data: str) -> httpx.Response:
    return browser.post("/acme/config/pull/1/act", data={"action": action, **data})


def button(page: str) -> str:
    """The merge button's tag."""
    found = re.search(r'<button[^>]*value="merge"[^>]*>', page)
    return found[0] if found else ""


def test_lists_lead_from_repositories_to_files(
    world: World, browser: httpx.Client, pull: PullRequest
) -> None:
    assert 'href="/acme/config/pull/1">Promote' in browser.get("/").text
    repository = browser.get("/acme/config").text
    assert "api/production/config.yaml" in repository
    assert "Initial commit" in repository
    file = browser.get("/acme/config/blob/main/api/production/config.yaml").text
    assert "# kept by hand" in file
    assert "+new: 1" in browser.get(f"/acme/config/commit/{pull.head_sha}").text
    assert "+new: 1" in browser.get("/acme/config/compare/main...topic").text
    world.github.commit(world.repo, "a/b", {"c/d.txt": "deep\n"}, "deep", "maria")
    assert 'href="/acme/config/blob/a/b/c/d.txt"' in browser.get("/acme/config/tree/a/b").text
    assert "deep" in browser.get("/acme/config/blob/a/b/c/d.txt").text
    assert browser.get("/acme/nothing").status_code == 404
    assert browser.get("/acme/config/pull/9").status_code == 404


def test_box_is_ticked_by_who_you_are(
    world: World, browser: httpx.Client, pull: PullRequest
) -> None:
    be(browser, "li")
    page = browser.get("/acme/config/pull/1").text
    assert len(re.findall(r'class="box"', page)) == 2, "fenced boxes are text"
    line = re.search(r'value="(\d+:1)"', page)
    version = re.search(r'name="version" value="(\w+)"', page)
    assert line is not None
    assert version is not None
    data = {"line": line[1], "version": version[1]}
    after = browser.post("/acme/config/pull/1/tick", data=data)
    assert "2 of 2 boxes ticked" in after.text
    assert pull.body == BODY.replace("- [ ] Feature", "- [x] Feature")
    assert pull.edits[-1].editor.login == "li"
    stale = browser.post("/acme/config/pull/1/tick", data=data)
    assert stale.status_code == 409, "the text has changed since it was shown"


def test_readers_see_boxes_and_cannot_tick_them(browser: httpx.Client, pull: PullRequest) -> None:
    be(browser, "sam")
    page = browser.get("/acme/config/pull/1").text
    assert '<button class="box"' not in page
    assert "☐" in page


def test_merge_is_grey_with_its_reason_until_the_gate_opens(
    world: World, browser: httpx.Client, pull: PullRequest
) -> None:
    world.github.protect(world.repo, "main", ["pilotage/ready"], bypass=["ada"])
    be(browser, "maria")
    closed = browser.get("/acme/config/pull/1").text
    assert "disabled" in button(closed)
    assert "Required status check &#34;pilotage/ready&#34; is expected." in closed
    assert "without waiting" not in closed
    assert act(browser, "bypass").status_code == 405
    be(browser, "ada")
    assert "without waiting" in browser.get("/acme/config/pull/1").text
    world.github.status(
        world.repo, pull.head_sha, "pilotage/ready", "success", "maria", "all gates pass"
    )
    be(browser, "maria")
    opened = browser.get("/acme/config/pull/1").text
    assert "disabled" not in button(opened)
    assert "all gates pass" in opened
    merged = act(browser, "merge", method="squash")
    assert merged.status_code == 200
    assert pull.merged_by is not None
    assert pull.merged_by.login == "maria"
    assert len(world.repo.git.commit(pull.merge_commit_sha or "").parents) == 1


def test_bypass_merges_without_waiting(
    world: World, browser: httpx.Client, pull: PullRequest
) -> None:
    world.github.protect(world.repo, "main", ["pilotage/ready"], bypass=["ada"])
    be(browser, "ada")
    assert act(browser, "bypass").status_code == 200
    assert pull.merged


def test_comment_approve_close_and_reopen(
    world: World, browser: httpx.Client, pull: PullRequest
) -> None:
    be(browser, "maria")
    assert "<strong>well</strong>" in act(browser, "comment", text="looks **well**").text
    act(browser, "approve")
    assert pull.reviews[-1].state == "APPROVED"
    act(browser, "close")
    assert pull.state == "closed"
    act(browser, "reopen")
    assert pull.state == "open"
    assert "can&#39;t be blank" in act(browser, "comment").text
    assert act(browser, "dance").status_code == 422


def test_file_is_edited_on_its_branch_under_its_rules(world: World, browser: httpx.Client) -> None:
    be(browser, "maria")
    url = "/acme/config/blob/main/api/staging/config.yaml"
    done = browser.post(url, data={"text": "service:\r\n  chartTag: 2\r\n", "message": "deploy 2"})
    assert "deploy 2" in done.text
    assert world.github.file(world.repo, "api/staging/config.yaml") == "service:\n  chartTag: 2\n"
    world.github.protect(world.repo, "main", pull_request=True)
    refused = browser.post(url, data={"text": "x"})
    assert refused.status_code == 409
    assert "Changes must be made through a pull request." in refused.text


def test_page_is_safe_from_what_people_write(browser: httpx.Client, pull: PullRequest) -> None:
    answer = browser.get("/acme/config/pull/1")
    for evil in ("<script", "onerror", '="javascript', "item:feature"):
        assert evil not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


# Markdown --------------------------------------------------------------------------------


def test_markdown_is_shown_as_on_github() -> None:
    html = render(BODY)
    assert "<table>" in html
    assert '<li class="task"><span class="box">☑</span> Staging healthy' in html
    assert "<details><summary>Folded</summary>" in html
    assert '<span class="add">+new</span>' in html
    assert "<blockquote>" in html


@pytest.mark.parametrize(
    "text",
    [
        "</div></main><b>out",
        "<details><summary>open",
        "<a href='jAvaScript:x'>y</a>",
        "<a href='&#106;avascript:x'>y</a>",
        "<style>body{}</style>",
        "<img src='data:text/html,x' onload=x>",
        "<svg><script>x</script></svg>",
        "<!-- <b> --><i",
        "\ue0000:x\ue001",
    ],
)
def test_hostile_html_is_cut_down_and_balanced(text: str) -> None:
    html = str(render(text))
    for evil in ("script", "onload", "<style", "<svg", "</div>", "</main>", "data:", "<!--"):
        assert evil not in html
    assert html.count("<details") == html.count("</details>")
    assert html.count("<b>") == html.count("</b>")
